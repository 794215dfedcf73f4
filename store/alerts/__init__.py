"""The life of an alert: recording, transitions, outbox, quota and locks."""
