"""Pages and API of the dashboard and the ranking."""
