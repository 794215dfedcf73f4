"""Cameras: intake of captures, their jobs and schedule."""
