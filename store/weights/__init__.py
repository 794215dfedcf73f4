"""Own weights of the service: versions, and which of them is in use."""
