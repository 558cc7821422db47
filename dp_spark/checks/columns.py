"""Whether a table has the columns that a configuration names, of types and with values that stages can use."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType, NumericType

from dp_spark.config import PipelineConfig
from dp_spark.counting.gold import refuse_other_gold
from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import PARTS, InputColumns
from dp_spark.labels.inputs import with_feature_widths
from dp_spark.labels.label import NUM_VOTES, PROB_LABEL
from dp_spark.labels.manifest import LABEL_COLUMN, WEIGHT_COLUMN
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.table_config import PARQUET
from dp_spark.tables import quoted, refuse_missing_columns, refuse_reserved_keys

_MAX_SPLITS_SHOWN, _MAX_CHARACTERS = 20, 20  # values in a message, and characters of each
_NO_KEY = (
    " A file of text has no key of its own, and the number of a row would be another one when the file changes: add "
    "a column once, for instance with pandas: t = pd.read_csv(path); t.insert(0, 'id', range(len(t))); "
    "t.to_csv(path, index=False)."
)


def refuse_other_columns(points: DataFrame, config: PipelineConfig) -> None:
    """Refuse a table that lacks a column which the configuration names, or has gold labels that are no integers.

    Raises:
        SchemaError: naming them.
    """
    table, fit_gold = config.table, config.label_model.gold
    wanted: dict[str, Sequence[str]] = {
        "table.key": table.key,
        "table.gold or table.split": [name for name in (table.gold, table.split) if name],
        "table.cluster": table.cluster,
        "label_model.gold": [fit_gold] if fit_gold else [],
    }
    try:
        refuse_missing_columns(points, wanted, table.path)
    except SchemaError as problem:
        lacks_key = table.source_format != PARQUET and not set(table.key) <= set(points.columns)
        raise SchemaError(f"{problem}{_NO_KEY if lacks_key else ''}") from None
    refuse_other_gold_types(points, config)


def gold_columns(config: PipelineConfig) -> dict[str, str]:
    """The columns with gold labels, by the setting that names them."""
    named = {"table.gold": config.table.gold, "label_model.gold": config.label_model.gold}
    return {setting: name for setting, name in named.items() if name}


def refuse_other_gold_types(points: DataFrame, config: PipelineConfig) -> None:
    """Refuse gold labels that are no integers; a column that is not there passes.

    Raises:
        SchemaError: naming all of them.
    """
    wrong = [
        f"{setting}: the column {name!r} is of type {points.schema[name].dataType.simpleString()}"
        for setting, name in gold_columns(config).items()
        if name in points.columns and not isinstance(points.schema[name].dataType, IntegralType)
    ]
    if wrong:
        classes = config.labeling.classes
        named = ", ".join(
            f"{vote} for {name!r}" for vote, name in zip(classes.votes, classes.names, strict=False)
        )
        texts = "Recode it." if named else "Recode it, or name its texts in class_names of [labeling]."
        raise SchemaError(
            f"{'; '.join(wrong)}: expected integers, {named or 'the classes as votes name them'}, and null where the "
            f"truth is not known. {texts}"
        )


def refuse_other_gold_values(points: DataFrame, config: PipelineConfig, setting: str, name: str) -> None:
    """Refuse gold labels that are not of the classes; of those that the label model is fitted with, also none.

    Reads the column once.

    Raises:
        SchemaError: naming them.
    """
    refuse_other_gold(points, name, config.labeling.classes.num_classes)
    if setting == "label_model.gold" and _is_empty(points.where(quoted(name) != 0), f"looking for {name}"):
        raise SchemaError(
            f"label_model.gold: no row has a gold label in {name!r}: expected some of "
            f"{config.labeling.classes.votes}. Fill some in, or leave label_model.gold out."
        )


def refuse_other_splits(points: DataFrame, split: str) -> None:
    """Refuse a split column without rows to train on; reads the column up to the first of them.

    Raises:
        SchemaError: naming some of the values that it has.
    """
    value = quoted(split).cast("string")
    if not _is_empty(points.where(value == "train"), f"looking for 'train' in {split}"):
        return
    values = points.select(F.substring(value, 1, _MAX_CHARACTERS)).distinct().limit(_MAX_SPLITS_SHOWN)
    with named_jobs(points.sparkSession, f"looking at the values of {split}"):
        found = sorted(str(row[0]) for row in values.collect())  # at most _MAX_SPLITS_SHOWN values
    raise SchemaError(
        f"table.split: the column {split!r} holds {found}: expected 'train' for the "
        "rows to train on and 'test' for those to judge by. Recode it, or leave table.split out."
    )


def _is_empty(rows: DataFrame, doing: str) -> bool:
    """Whether there are no such rows, by a job that is called so."""
    with named_jobs(rows.sparkSession, doing):
        return bool(rows.isEmpty())


def refuse_other_inputs(points: DataFrame, config: PipelineConfig) -> None:
    """Refuse columns that the end model cannot take.

    Raises:
        SchemaError: if one is missing, of another type, or begins with an empty array.
    """
    with_feature_widths(points, inputs_of(config))


def inputs_of(config: PipelineConfig) -> InputColumns:
    """The columns that the end model sees."""
    inputs = config.training_set
    return InputColumns.of(inputs.features, inputs.text, inputs.categories)


def refuse_other_weight(points: DataFrame, weight: str) -> None:
    """Refuse a column of weights that is not there, or holds no numbers.

    Raises:
        SchemaError: naming it.
    """
    owns, labels_own = weight in points.columns, weight in (PROB_LABEL, NUM_VOTES)
    if owns == labels_own:
        raise SchemaError(
            f"training_set.weight: the column {weight!r} is in {'both' if owns else 'neither'} the table and the "
            "labels: expected it in one of them. Rename or add a column."
        )
    if owns and not isinstance(points.schema[weight].dataType, NumericType):
        raise SchemaError(
            f"training_set.weight: the column {weight!r} has the type {points.schema[weight].dataType.simpleString()}: "
            "expected a number. Convert it."
        )


def refuse_reserved_key_names(config: PipelineConfig) -> None:
    """Refuse key columns that are called like one which a later stage adds beside them.

    Raises:
        SchemaError: naming them.
    """
    inputs, weight = config.training_set, config.training_set.weight
    parts = [part for part in PARTS if getattr(inputs, part)]
    added = (*parts, LABEL_COLUMN, *([WEIGHT_COLUMN] if weight else []))
    refuse_reserved_keys(config.table.key, (PROB_LABEL, NUM_VOTES, *added))


def refuse_no_rows(points: DataFrame, path: str) -> None:
    """Refuse a table without rows; raises SchemaError."""
    if _is_empty(points, "looking for rows"):
        raise SchemaError(
            f"{path} holds no rows: expected at least one data point. Check the path and filters."
        )
