"""What a worker needs to cast the votes of a task: the labeling functions of Python, and the rules of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.matching import PatternMatcher, Unit
from dp_spark.labeling.preprocessors import Preprocessor, with_dependencies
from dp_spark.labeling.rules import PatternRule
from dp_spark.labeling.vote import Vote
from dp_spark.labeling.votes import Classes


@dataclass(frozen=True)
class PatternGroup:
    """All pattern labeling functions on one column, to be searched together.

    Attributes:
        column: holds the texts.
        matcher: of all their patterns.
        owners: per pattern of the matcher, the position of its labeling function and the class.
    """

    column: str
    matcher: PatternMatcher
    owners: tuple[tuple[int, Vote], ...]


@dataclass(frozen=True)
class Ballot:
    """The labeling functions of a run as its workers see them.

    Attributes:
        names: m names, in the order of the label matrix.
        python: the labeling functions that take rows or batches, by position.
        groups: the pattern labeling functions.
        spark: the positions of those whose votes arrive with the rows, in the order of the bytes there.
        preprocessors: all that are used, each once.
        key: columns that name a row.
        columns: the columns of a data point; the first of the batches that arrive.
        classes: of the task.
        budgets: per labeling function, on how many data points or what share of them it may fail.
        timeouts: per labeling function, in seconds.
        modules: digests of the user's modules on the driver, by name.
        is_trial: failures of any number and illegal votes are recorded, with messages, and stop nothing.
        max_batch_rows: batches are cut to that many rows; 0 leaves them as they come.
    """

    names: tuple[str, ...]
    python: tuple[tuple[int, LabelingFunction], ...]
    groups: tuple[PatternGroup, ...]
    spark: tuple[int, ...]
    preprocessors: tuple[Preprocessor, ...]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    classes: Classes
    budgets: tuple[int | float, ...]
    timeouts: tuple[float, ...]
    modules: Mapping[str, str] = field(default_factory=dict)
    is_trial: bool = False
    max_batch_rows: int = 0


def pattern_groups(lfs: Sequence[tuple[int, LabelingFunction]]) -> tuple[PatternGroup, ...]:
    """The pattern labeling functions among `lfs`, by the column that they search."""
    units: dict[str, list[tuple[Unit, int, Vote]]] = {}
    for position, lf in lfs:
        if isinstance(lf.rule, PatternRule):
            for choice, group in lf.rule.patterns:
                units.setdefault(lf.rule.column, []).extend((unit, position, choice) for unit in group)
    return tuple(
        PatternGroup(
            column, PatternMatcher([unit for unit, _, _ in found]), tuple((p, c) for _, p, c in found)
        )
        for column, found in units.items()
    )


def preprocessors_of(lfs: Sequence[LabelingFunction]) -> tuple[Preprocessor, ...]:
    """All preprocessors that labeling functions use, each once, those before which others need.

    Raises:
        ValueError: if two different ones have one name.
    """
    return with_dependencies([p for lf in lfs for p in lf.preprocessors])


def columns_of(lfs: Sequence[LabelingFunction], columns: Sequence[str], key: Sequence[str] = ()) -> list[str]:
    """The columns that labeling functions read, and the key, in the order of the table.

    Args:
        lfs: labeling functions.
        columns: of the table; all of them are read if that is not known of some labeling function.
        key: columns that are needed anyway.
    """
    read: set[str] = set(key)
    for lf in lfs:
        read.update(columns if lf.columns is None else lf.columns)
    return [name for name in columns if name in read]
