"""What must hold before a run: each check is in one place, for `dp-spark validate` and for the run itself."""
