"""Backup and restore of database and object files."""
