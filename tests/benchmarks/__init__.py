"""Tests of the benchmarks: what they measure with, not the figures."""
