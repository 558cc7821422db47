"""The model that ships: shards -> EndModel -> probabilities."""
