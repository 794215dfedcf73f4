"""The life of a lead, over plain data. So far: its units."""
