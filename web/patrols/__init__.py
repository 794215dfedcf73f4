"""Pages and API of patrol records."""
