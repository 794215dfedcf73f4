"""Delivery of alert events to the enforcement queue, web hooks and the drop folder."""
