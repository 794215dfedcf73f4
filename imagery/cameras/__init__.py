"""Fixed cameras: streams, captures, quality checks, and calibration from pixels to the ground."""
