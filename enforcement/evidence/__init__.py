"""Evidence sheets (PDF) and signed evidence bundles of one alert."""
