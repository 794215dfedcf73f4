"""Reviewed alerts as labelled training pairs."""
