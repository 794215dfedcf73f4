"""Rendered sample scene with administrative areas, verdicts and ground truth, for the demo and the tests."""
