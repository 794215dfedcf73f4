"""The map page, its tiles, and the parser for typed coordinates."""
