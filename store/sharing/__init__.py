"""What receiving bodies may see, their reads, places without supply, and the credit blacklist."""
