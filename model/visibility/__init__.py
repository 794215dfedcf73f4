"""Classifier of what hides the ground in an image: cloud or haze, and snow."""
