"""Tables, migrations and object files: the only room that speaks SQL."""
