"""Labeling functions over a table: DataFrame -> LabelMatrix."""
