"""The check on the ground by phone: the installable page, its data, its outbox, and what the desk sees of it."""
