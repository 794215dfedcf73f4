"""Parts of the simulated county in a year: places and people, truth and detections, days of work, and checks."""
