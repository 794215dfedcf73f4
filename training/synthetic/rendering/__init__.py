"""Rendering of a scene's contents as an image from above or in perspective."""
