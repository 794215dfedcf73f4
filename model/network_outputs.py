"""Names of what the network answers, apart from the network: whoever only reads answers need not import torch."""

CHANGE_OUTPUTS = ("building", "ground")
"""Order of the change outputs. building: a building stands where none stood, or the reverse; ground: land turned."""
