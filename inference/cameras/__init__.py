"""Changes on the ground that a fixed camera observes."""
