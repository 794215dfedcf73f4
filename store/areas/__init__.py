"""Administrative areas and layers, and the files they are loaded from."""
