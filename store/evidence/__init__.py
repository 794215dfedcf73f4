"""Evidence files: photos and documents of alerts, tips and patrols."""
