"""Tiles for GIS programs: scenes and the latest image of each place (WMTS, TileJSON)."""
