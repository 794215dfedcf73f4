"""Commands for training and evaluating weights: reviewed, train, export, evaluate."""
