"""Messages to people: collected per person, and sent by e-mail, robots and web hooks; the daily check of deadlines."""
