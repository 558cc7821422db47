"""Labeling functions over the partitions of a table.  (Tutorial, step 1.)"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql.types import StringType

from dp_spark.errors import SchemaError
from dp_spark.labeling.application import Application
from dp_spark.labeling.ballot import preprocessors_of
from dp_spark.labeling.content_hash import digest
from dp_spark.labeling.labeling_function import HASH_DIGITS, LabelingFunction, refuse_bad_budget
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN
from dp_spark.labeling.rules import PatternRule, known_choices
from dp_spark.labeling.tally import ERRORS_COLUMN, TALLY_COLUMN
from dp_spark.labeling.votes import Classes
from dp_spark.labeling.watch import LF_TIMEOUT_SECONDS
from dp_spark.tables import refuse_missing_columns, refuse_reserved_keys


def apply_lfs(
    df: DataFrame,
    lfs: Sequence[LabelingFunction],
    *,
    key: Sequence[str],
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
    max_lf_errors: int | float = 0,
    lf_timeout_seconds: float = LF_TIMEOUT_SECONDS,
) -> LabelMatrix:
    """The label matrix of `lfs` on the rows of `df`; nothing runs until it is written or counted.

    Write it with `write_label_matrix` before using it twice: each use runs the LFs again.

    Args:
        df: one row per data point.
        lfs: m labeling functions of any kinds, with different names.
        key: columns of `df` that identify a row; kept in the label matrix.
        num_classes: 2 (votes -1 and +1) to 127 (votes 1 to k); default: as many as names, or 2.
        class_names: what labeling functions may call the classes; for two classes the negative one first.
        max_lf_errors: on how many data points (an integer), or what share of them (a float below 1), a labeling
            function may fail, unless it says so itself; it abstains there, and the failures are counted. The
            budget of the whole table is checked by `write_label_matrix`; other uses check each task's part of it.
            An illegal vote is a mistake in the function, which no budget covers.
        lf_timeout_seconds: how long one may take for a data point or, for a function of batches, a batch, unless
            it says so itself. One that hangs inside a C library is ended, with its worker, after twice that.

    Raises:
        ValueError: if there are no LFs, one is not a LabelingFunction, two have one name, or one votes for
            classes that there are not.
        SchemaError: if `df` lacks a key column or a column that an LF reads.
        LabelingFunctionError: if an LF cannot be sent to the executors. From the writing or counting, naming LF and
            row key: if one failed more often than its budget allows, ended its worker, or cast an illegal vote.
    """
    if isinstance(key, str):
        raise ValueError(f"key is {key!r}: expected the names of one or more different columns, as a list.")
    refuse_bad_budget(max_lf_errors, "max_lf_errors")
    if not lf_timeout_seconds > 0:
        raise ValueError(f"lf_timeout_seconds is {lf_timeout_seconds}: expected more than 0.")
    classes = Classes.of(num_classes, class_names)
    application = Application(
        df=df,
        lfs=tuple(_with_class_names(lf, classes) for lf in checked_lfs(lfs)),
        key=tuple(key),
        classes=classes,
        budgets=tuple(max_lf_errors if lf.max_errors is None else lf.max_errors for lf in lfs),
        timeouts=tuple(lf.timeout_seconds or lf_timeout_seconds for lf in lfs),
    )
    check_application(application)
    return LabelMatrix(
        df=application.votes(),
        key=application.key,
        lf_names=tuple(lf.name for lf in application.lfs),
        lf_hashes=tuple(lf.content_hash for lf in application.lfs),
        num_classes=classes.num_classes,
        class_names=classes.names,
        application=application,
    )


def check_application(application: Application) -> None:
    """Refuse what can be seen to go wrong before anything runs; raises as `apply_lfs` does."""
    df, lfs, key = application.df, application.lfs, application.key
    _check_columns(df, lfs, key)
    _refuse_ambiguous(df, application.columns_needed())
    derived = {p.name for p in preprocessors_of(lfs)} & set(df.columns)
    if derived:
        raise ValueError(
            f"preprocessors have the names of columns of the table: {sorted(derived)}: expected names of their own. "
            "Rename them."
        )
    _check_choices(lfs, application.classes)
    _check_pattern_columns(df, lfs)


def _with_class_names(lf: LabelingFunction, classes: Classes) -> LabelingFunction:
    """The labeling function, its hash with the class names, which decide what a vote by name means."""
    if not classes.names:
        return lf
    return replace(lf, content_hash=digest(lf.content_hash, classes.names)[:HASH_DIGITS])


def checked_lfs(lfs: Sequence[LabelingFunction]) -> Sequence[LabelingFunction]:
    """The labeling functions, if there are some, all are that, and have different names; else a ValueError."""
    if isinstance(lfs, LabelingFunction):
        raise ValueError(
            f"lfs is one labeling function, {lfs.name!r}: expected a list, such as [{lfs.name}]."
        )
    if not lfs:
        raise ValueError("there are no labeling functions: expected at least one in the list.")
    for lf in lfs:
        if not isinstance(lf, LabelingFunction):
            raise ValueError(
                f"{lf!r} is not a labeling function: put @labeling_function above its definition."
            )
    twice = sorted(name for name, count in Counter(lf.name for lf in lfs).items() if count > 1)
    if twice:
        raise ValueError(
            f"labeling functions share the names {twice}: expected different names. Rename them, or pass "
            "name=... to @labeling_function."
        )
    return lfs


def _check_choices(lfs: Sequence[LabelingFunction], classes: Classes) -> None:
    wrong = [
        f"labeling function {lf.name!r} votes {choice!r}"
        for lf in lfs
        for choice in known_choices(lf.rule)
        if classes.vote_of(choice) is None
    ]
    if wrong:
        named = "" if classes.names else " Names of classes have to be declared: class_names=[...]."
        raise ValueError(f"{'; '.join(wrong)}: {classes.expected()}.{named}")


def _check_pattern_columns(df: DataFrame, lfs: Sequence[LabelingFunction]) -> None:
    columns = {lf.name: lf.rule.column for lf in lfs if isinstance(lf.rule, PatternRule)}
    types = {name: df.schema[column].dataType for name, column in columns.items()}
    wrong = [
        f"labeling function {name!r} searches {columns[name]!r} of type {data_type.simpleString()}"
        for name, data_type in types.items()
        if not isinstance(data_type, StringType)
    ]
    if wrong:
        raise SchemaError(f"{'; '.join(wrong)}: expected a column of text. Cast it to string.")


def _check_columns(df: DataFrame, lfs: Sequence[LabelingFunction], key: Sequence[str]) -> None:
    if not key or len(set(key)) != len(key):
        raise ValueError(f"key is {list(key)}: expected the names of one or more different columns.")
    refuse_reserved_keys(key, (VOTES_COLUMN, TALLY_COLUMN, ERRORS_COLUMN, *(lf.name for lf in lfs)))
    wanted: dict[str, Sequence[str]] = {"the key": key}
    wanted.update({f"labeling function {lf.name!r}": lf.columns for lf in lfs if lf.columns is not None})
    refuse_missing_columns(df, wanted, "the table")
    own = sorted(name for name in df.columns if name.startswith("_dp_spark_"))
    if own:
        raise SchemaError(
            f"the table has the columns {own}, whose names dp_spark keeps for itself. Rename them."
        )


def _refuse_ambiguous(df: DataFrame, needed: Sequence[str]) -> None:
    """Refuse columns of one name, among those that are needed; Spark cannot tell them apart."""
    is_exact = df.sparkSession.conf.get("spark.sql.caseSensitive") == "true"
    num_of_name = Counter(name if is_exact else name.lower() for name in df.columns)
    twice = [name for name in needed if num_of_name[name if is_exact else name.lower()] > 1]
    if twice:
        raise SchemaError(
            f"the table has columns of one name (to Spark, case does not count): {sorted(twice)}: expected different "
            "names. Rename them, or set spark.sql.caseSensitive=true if they differ in case."
        )
