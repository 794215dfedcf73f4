"""Pages of messages: inbox, preferences, and proof of what was sent."""
