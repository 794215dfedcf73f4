"""Two dates of one place in, changes on the map out."""
