"""Commands that process files without the service: scan, place, demo, verify."""
