"""Jobs that capture and compare fixed cameras."""
