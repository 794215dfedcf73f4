"""Processes that run jobs: Celery application, worker, schedule, reaper and supervisor."""
