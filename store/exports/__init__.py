"""Exports of alerts that a job writes: who requested them, and where their files are."""
