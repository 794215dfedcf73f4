"""Jobs that plan nights and compare scenes."""
