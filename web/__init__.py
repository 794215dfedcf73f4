"""Web pages for drone teams and inspectors, and the HTTP API. Never imports torch."""
