"""Celery: jobs, the night, delivery to the enforcement queue."""
