"""The to-do list: what waits for a user, with its next steps, single and in bulk."""
