"""Sources of training samples and the manifests that describe them."""
