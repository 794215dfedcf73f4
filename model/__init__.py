"""Change detection network: architecture, weights and runtimes. Independent of rasters and coordinates."""
