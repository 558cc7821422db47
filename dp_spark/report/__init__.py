"""Numbers about labels and models."""
