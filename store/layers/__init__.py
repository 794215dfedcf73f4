"""What a new version of a layer changes for alerts."""
