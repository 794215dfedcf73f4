"""Evidence sheets (PDF) and signed evidence bundles of an alert."""
