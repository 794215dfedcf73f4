"""Fixed cameras: presets, captures, changes and credentials."""
