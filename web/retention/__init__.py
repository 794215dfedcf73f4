"""Pages of retention: the list of what would be deleted, holds, and the log of deletions."""
