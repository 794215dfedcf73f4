"""Users, their rights, and the log of their actions."""
