"""Kinds of messages to people, splitting of texts, and quiet hours."""
