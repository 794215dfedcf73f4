"""Augmentation: geometry, appearance, sensor and weather."""
