"""The ledger of an alert: all comparisons of its ground, and what is derived from them."""
