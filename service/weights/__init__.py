"""Weights of the service's detector: own versions, their comparison, and checks at start."""
