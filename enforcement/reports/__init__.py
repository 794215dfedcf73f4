"""Periodic reports: sheets, their layouts (``configs/reports``), rows from facts, checks, and files."""
