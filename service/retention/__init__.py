"""Classes of retention: list what would be deleted, delete it, and log that."""
