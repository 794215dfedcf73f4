"""Commands for reports and documents."""
