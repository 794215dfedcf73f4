"""Raw photos of drones → one scene: placed by their sensors, refined by what they show, laid into one mosaic."""
