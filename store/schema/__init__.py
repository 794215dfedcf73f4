"""Tables, column types, migrations and database connections."""
