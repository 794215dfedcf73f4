"""Patrol records: tracks and statistics."""
