"""Read models for pages, maps and statistics."""
