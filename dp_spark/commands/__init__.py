"""What the verbs of `dp-spark` do beyond running a stage: a run or a configuration in, an `Outcome` out."""
