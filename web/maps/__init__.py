"""The map, its tiles and typed coordinates."""
