"""Pages by which an administrator sets up the service: areas, and settings of the enforcement chain."""
