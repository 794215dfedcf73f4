"""Jobs that capture fixed cameras and compare their captures."""
