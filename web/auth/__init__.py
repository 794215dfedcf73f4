"""Authentication, users, and authorised access to rows."""
