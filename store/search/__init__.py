"""Filtered and paginated search for alerts and images."""
