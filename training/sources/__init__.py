"""Sources of training samples, and the manifests of labelled folders."""
