"""Rewrite received images as cloud-optimised GeoTIFFs."""
