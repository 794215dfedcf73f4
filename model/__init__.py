"""The network, its weights with their card, its runtimes. Knows nothing of rasters or coordinates."""
