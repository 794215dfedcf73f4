"""Evaluation of a detector on a folder of labelled pairs: complete images, one prediction of each pair."""
