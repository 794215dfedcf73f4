"""Augmentation of training pairs: geometry on the CPU; season, weather and sensor on the training device."""
