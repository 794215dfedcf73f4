"""Pages and API of tips, and the public form."""
