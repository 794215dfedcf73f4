"""Processes that run jobs: Celery app, worker, schedule, reaper and supervisor."""
