"""Batches of received files and the scenes and photos made from them."""
