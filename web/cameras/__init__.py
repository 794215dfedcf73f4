"""Pages and API of fixed cameras."""
