"""Corrections of images after their ingest: day, source, bands, coordinate system; withdrawal and purging."""
