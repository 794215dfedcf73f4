"""Files for receiving bodies: the nightly GeoPackage of each."""
