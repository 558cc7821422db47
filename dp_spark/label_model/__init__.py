"""What turns a row of votes into probabilities: VoteCounts -> LabelModel."""
