"""Jobs that take in images and photos, and the watched folder."""
