"""`dp-spark export-votes`: the label matrix for SQL users, one column per labeling function."""

from collections.abc import Sequence

from dp_spark.commands.outcome import Outcome
from dp_spark.errors import SchemaError
from dp_spark.run import Run, read_matrix
from dp_spark.tables import write_table

VOTE_COLUMNS_KIND = "vote columns"


def export_votes(run: Run, to: str, overwrite: bool = False) -> Outcome:
    """Write a Parquet table with the key columns and a column per labeling function: its votes, 0 where it abstains.

    Args:
        run: with a label matrix.
        to: a directory, anywhere Spark writes, outside of the run's own.
        overwrite: replace a table that is there.

    Raises:
        MissingResultError: if there is no label matrix.
        SchemaError: if column names differ in case only, where Spark takes them for one.
        OutputExistsError: if `to` is there and `overwrite` is false.
    """
    matrix = read_matrix(run)
    _refuse_equal_names([*matrix.key, *matrix.lf_names])
    description: dict[str, object] = {"lf_names": list(matrix.lf_names), "lf_hashes": list(matrix.lf_hashes)}
    write_table(
        matrix.columns(),
        to,
        run.storage,
        kind=VOTE_COLUMNS_KIND,
        description=description,
        key=matrix.key,
        overwrite=overwrite,
    )
    content = {"table": to, "key": list(matrix.key), "columns": list(matrix.lf_names)}
    return Outcome(f"wrote {to}: a column for each of {len(matrix.lf_names)} labeling functions", content)


def _refuse_equal_names(names: Sequence[str]) -> None:
    lower = [name.lower() for name in names]
    twice = [name for name in names if lower.count(name.lower()) > 1]
    if twice:
        raise SchemaError(
            f"the columns {twice} differ in case only: expected names that differ for SQL. Rename the "
            "labeling functions."
        )
