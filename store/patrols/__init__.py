"""Patrol records: registration, lists, statistics."""
