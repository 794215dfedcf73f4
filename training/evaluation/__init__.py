"""How good a detector is on a folder of labelled pairs: whole images, every figure from one prediction of each pair."""
