"""Evidence files: receive, check, show."""
