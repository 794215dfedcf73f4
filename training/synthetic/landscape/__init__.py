"""What a rendered scene contains: terrain, settlements, roads and sites."""
