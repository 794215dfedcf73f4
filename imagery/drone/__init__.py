"""Drone photos to orthomosaics: orientation by sensors, tie points and bundle adjustment, then mosaicking."""
