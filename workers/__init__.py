"""Celery workers and job handlers: ingest, cameras, nightly scans, delivery and audit."""
