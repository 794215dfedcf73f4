"""Documents from Word templates."""
