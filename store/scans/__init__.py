"""Scans and nights: what was compared, and what could not be."""
