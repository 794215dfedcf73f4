"""Definitions of the chain settings that an administrator may change: what may be set, default, range and labels."""
