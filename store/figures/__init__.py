"""Rows of alerts, their steps, tips and patrols as facts, for reports and indicators."""
