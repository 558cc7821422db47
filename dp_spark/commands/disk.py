"""How much disk a run's results take: an estimate from the number of rows, before compression."""

from dp_spark.commands.table_size import TableSize
from dp_spark.run import Run

_KEY_BYTES = 16  # of each key column
_PROB_BYTES, _COUNT_BYTES = 8, 4  # of a probability in labels and predictions, of `num_votes`


def estimated_bytes(run: Run, num_lfs: int, size: TableSize | None) -> dict[str, int | None]:
    """About how many bytes each result of the size of the table takes, by name; None if nothing is known.

    A training set takes as much as the table at most: it holds some of its columns and rows.

    Args:
        run: the run.
        num_lfs: m.
        size: of the table.
    """
    table, k = run.config.table, run.config.labeling.classes.num_classes
    if size is None or size.num_rows is None:
        return {"training_set": size.num_bytes if size else None}
    key, probs = _KEY_BYTES * len(table.key), _PROB_BYTES * (k if k > 2 else 1)
    return {
        "label_matrix": size.num_rows * (key + num_lfs),
        "labels": size.num_rows * (key + probs + _COUNT_BYTES),
        "training_set": size.num_bytes,
        "predictions": size.num_rows * (key + probs),
    }
