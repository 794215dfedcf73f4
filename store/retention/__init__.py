"""What is kept for how long: holds, files and personal data that may be deleted, and the log of deletions."""
