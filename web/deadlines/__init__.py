"""Pages of deadlines: calendar, days counted, and listed supervision."""
