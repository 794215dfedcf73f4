"""Messages to people: who receives them, the inbox, what is sent, and preferences."""
