"""Pairs of real farmland on which fields change as farming changes them, and construction sites appear."""
