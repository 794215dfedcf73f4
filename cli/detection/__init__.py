"""Commands that work on files, without the service."""
