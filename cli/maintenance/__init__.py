"""Commands of backups, migrations and checks of what is stored."""
