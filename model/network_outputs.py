"""Names of the network's outputs, separate from the network so that reading them does not import torch."""

CHANGE_OUTPUTS = ("building", "ground")
"""Change outputs in channel order. building: a building appeared or disappeared; ground: ground works."""
