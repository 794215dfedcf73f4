"""Map apps that a place is handed over to, in the coordinates of each."""
