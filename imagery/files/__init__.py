"""Untrusted files: format, header limits, safe copies, archives and sidecar files."""
