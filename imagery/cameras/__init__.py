"""Fixed cameras: streams, captures, their quality, and where on the ground a pixel lies."""
