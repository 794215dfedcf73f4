"""The rendered sample scene with areas, verdicts and truth, for demo and tests."""
