"""Working days, public holidays by year, and owner and deadline of every open state."""
