"""How tests look at label matrices."""

import numpy as np


def votes_of(matrix):
    """The votes of a label matrix by key; by the value itself where the key is one column."""
    rows = matrix.df.collect()
    keys = [tuple(row)[:-1] for row in rows]
    return {
        key if len(key) > 1 else key[0]: np.frombuffer(row.votes, dtype=np.int8).tolist()
        for key, row in zip(keys, rows, strict=True)
    }


def executed_plan(df):
    return df._jdf.queryExecution().executedPlan().toString()
