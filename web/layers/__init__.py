"""Pages of layers and their versions, and parcel TXT as outlines."""
