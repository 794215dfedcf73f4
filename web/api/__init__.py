"""The API for programs: alerts, scenes, OGC API - Features and STAC."""
