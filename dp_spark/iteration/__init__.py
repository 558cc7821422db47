"""Iterating on labeling functions: why a label is what it is, what changed, what is wrong, where to go on."""
