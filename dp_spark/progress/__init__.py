"""How far Spark's jobs are, for people: names in Spark's UI, bars on terminals and in notebooks, lines in logs."""
