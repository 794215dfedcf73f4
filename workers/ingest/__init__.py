"""Jobs that turn received files into scenes, and the watched folder."""
