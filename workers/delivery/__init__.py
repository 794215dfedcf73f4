"""Deliver alerts to the enforcement queue, web hooks and the drop folder."""
