"""What changed on the ground that a fixed camera looks at."""
