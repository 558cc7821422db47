"""The statistics that every label model is fitted from: LabelMatrix -> VoteCounts."""
