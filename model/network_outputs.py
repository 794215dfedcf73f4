"""Names of the network's outputs, separate from the network so that reading them does not import torch."""

CHANGE_OUTPUTS = ("building", "ground")
"""Change outputs in channel order. building: a building appeared or disappeared; ground: ground works."""

DESCRIPTOR_CELL_PX = 8
"""Side in pixels of a cell that the registration's descriptor network describes."""

DESCRIPTOR_CONTEXT_PX = 16
"""Image sides must be multiples of it for the descriptor network: the stride of its context."""

DESCRIPTOR_CHANNELS = 32
"""Length of a description."""
