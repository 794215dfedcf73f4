"""What other bodies receive: matters, fields, masked identity numbers, and files of the blacklist."""
