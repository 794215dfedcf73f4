"""Typesetting: plain data and a template become PDF, with fonts from packages."""
