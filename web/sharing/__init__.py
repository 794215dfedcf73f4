"""Pages and API of receiving bodies and suppliers, and the administration of sharing."""
