"""Checks on the ground: alerts taken along by phones, and the steps that phones send."""
