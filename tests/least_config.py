"""The settings that every configuration has to have."""

LEAST = """
output = "out"
[table]
path = "table"
key = ["id"]
[labeling]
module = "my_lfs"
[training_set]
text = "text"
"""
