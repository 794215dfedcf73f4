"""Periodic reports: planned, filled, corrected, signed off, submitted, returned, locked; decisions of meetings."""
