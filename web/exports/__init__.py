"""Page and API of exports that a job writes."""
