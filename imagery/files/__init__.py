"""Untrusted files: formats, header limits, isolation, archives and sidecar files."""
