"""Rewrite received images as our own cloud-optimised GeoTIFFs."""
