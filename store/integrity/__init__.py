"""Integrity of what is stored: checksums of objects, readable rows, hash chains, and what is damaged."""
