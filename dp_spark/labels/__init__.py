"""Probabilistic labels, and the training set made from them."""
