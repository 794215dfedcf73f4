"""Layers with versions: received files, their loading, their effects on open alerts, and their use."""
