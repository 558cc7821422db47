"""The label matrix L as a Spark table.

How its votes are stored is known to packing.py alone; `columns()` is the view for SQL users.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame

from dp_spark.errors import SchemaError
from dp_spark.labeling.application import Application
from dp_spark.labeling.lf_runs import LFRun, report_runs
from dp_spark.labeling.notebook import label_matrix_html, label_matrix_text
from dp_spark.labeling.packing import VOTES_COLUMN, vote_in_spark
from dp_spark.storage import Storage
from dp_spark.tables import quoted, read_table, write_table

KIND = "label matrix"
FORMAT_VERSION = 1


@dataclass(frozen=True, repr=False)
class LabelMatrix:
    """The votes of m labeling functions on n data points.

    Attributes:
        df: the key columns and one binary column, `votes`: m int8 bytes, in the order of `lf_names`.
        key: the columns that identify a data point.
        lf_names: m unique names.
        lf_hashes: m content hashes: what code cast the votes.
        num_classes: 2 (votes -1, +1) or more (votes 1 to k); 0 abstains.
        class_names: one per class, or none.
        lf_runs: what each labeling function did, once the label matrix is written; then the preprocessors.
        application: how the votes are cast, until the label matrix is written.
    """

    df: DataFrame
    key: tuple[str, ...]
    lf_names: tuple[str, ...]
    lf_hashes: tuple[str, ...]
    num_classes: int
    class_names: tuple[str, ...] = ()
    lf_runs: tuple[LFRun, ...] = ()
    application: Application | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        expected = [*self.key, VOTES_COLUMN]
        if self.df.columns != expected:
            raise SchemaError(f"a label matrix has the columns {expected}, this table has {self.df.columns}.")

    def columns(self) -> DataFrame:
        """The key columns and one tinyint column per LF, computed in the JVM."""
        votes = [vote_in_spark(i).alias(name) for i, name in enumerate(self.lf_names)]
        return self.df.select(*map(quoted, self.key), *votes)

    def __repr__(self) -> str:
        return label_matrix_text(self)

    def _repr_html_(self) -> str:
        return label_matrix_html(self)


def write_label_matrix(
    label_matrix: LabelMatrix, path: str, storage: Storage, *, overwrite: bool = False
) -> LabelMatrix:
    """Run the labeling functions, write their votes as Parquet, and return the written matrix.

    Votes are on storage before anything shuffles them: a labeling function that is not
    deterministic, and one lost executor, would otherwise lose and duplicate rows.

    Args:
        label_matrix: from `apply_lfs`.
        path: a directory, on any file system that Spark reaches.
        storage: the file systems.
        overwrite: replace a result that is there.

    Raises:
        LabelingFunctionError: if an LF failed more often than its budget allows, ended its worker, or cast an
            illegal vote; nothing is left at `path`.
        SchemaError: if the table is empty, keys are null or occur twice, or rows are not all there.
        OutputExistsError: if `path` is there and `overwrite` is false.
    """
    application = label_matrix.application
    plan = application.plan() if application else None
    content = {
        "version": FORMAT_VERSION,
        "num_classes": label_matrix.num_classes,
        "class_names": list(label_matrix.class_names),
        "lf_names": list(label_matrix.lf_names),
        "lf_hashes": list(label_matrix.lf_hashes),
        "lfs": [run.to_dict() for run in label_matrix.lf_runs],
        "time_zone": storage.spark.conf.get("spark.sql.session.timeZone"),
    }

    def examine(written: DataFrame, num_rows: int) -> dict[str, object]:
        if plan is None:
            return {}
        if plan.num_rows_in() != num_rows:
            raise SchemaError(
                f"the {KIND} has {num_rows:,} rows for {plan.num_rows_in():,} data points: expected as many. Nothing "
                "was published. Is the table, or a table that is looked up, changing? Run again."
            )
        runs = plan.runs(written, num_rows)
        report_runs(runs)
        return {"lfs": [run.to_dict() for run in runs]}

    write_table(
        plan.df if plan else label_matrix.df,
        path,
        storage,
        kind=KIND,
        description=content,
        key=label_matrix.key,
        overwrite=overwrite,
        examine=examine,
        investigate=application.investigate if application else None,
    )
    return read_label_matrix(storage, path)


def read_label_matrix(storage: Storage, path: str) -> LabelMatrix:
    """The label matrix that `write_label_matrix` wrote.

    Raises:
        MissingResultError: if there is none, or its write did not finish.
    """
    df, content = read_table(storage, path, KIND)
    key, runs = _texts(content["key"]), content.get("lfs", [])
    return LabelMatrix(
        df=df.select(*map(quoted, key), VOTES_COLUMN),
        key=key,
        lf_names=_texts(content["lf_names"]),
        lf_hashes=_texts(content["lf_hashes"]),
        num_classes=int(str(content["num_classes"])),
        class_names=_texts(content.get("class_names", [])),
        lf_runs=tuple(LFRun.from_dict(run) for run in runs if isinstance(run, Mapping))
        if isinstance(runs, list)
        else (),
    )


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, Sequence):
        raise SchemaError(f"{values!r} in the description of a label matrix: expected a list of texts.")
    return tuple(str(value) for value in values)
