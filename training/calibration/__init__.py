"""Calibration of weights on pairs that they were not trained on: scores, thresholds and the cut of the coarse look."""
