"""What turns a row of votes into probabilities: VoteCounts -> LabelModel."""

import os

# TensorFlow reads it when it is imported; else it greets every process with lines about devices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
