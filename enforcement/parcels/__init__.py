"""Parcel TXT: the coordinate files in which bureaus exchange parcels."""
