"""Exports of alerts: all formats by one function, at once or by a job whose file is kept for some days."""
