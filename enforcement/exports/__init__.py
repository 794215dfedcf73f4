"""Alerts as GeoJSON, GeoPackage, Shapefile and spreadsheet."""
