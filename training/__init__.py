"""Labelled pairs in, weights out; and the measurements of how good they are."""
