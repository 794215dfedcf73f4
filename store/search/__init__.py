"""Search alerts and images by filter, page by page."""
