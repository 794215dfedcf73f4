"""One file per revision; a released revision never changes."""
