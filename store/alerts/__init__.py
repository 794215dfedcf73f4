"""The life cycle of alerts: recording, transitions, outbox, weekly quota and locks."""
