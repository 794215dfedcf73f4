"""Dashboard and ranking as sheets, for files that show the same numbers as the pages."""
