"""Decisions on alerts: judge, assign, split, merge and undo."""
