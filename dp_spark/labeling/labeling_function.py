"""The labeling function: a name, a rule by which it votes, and what belongs to that.

functions.py, column_lfs.py, pattern_lfs.py, lookup_lfs.py, model_lfs.py and crowd_lfs.py make them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dp_spark.labeling.content_hash import digest
from dp_spark.labeling.matching import PatternMatcher
from dp_spark.labeling.preprocessors import Preprocessor, prepared, prepared_batch
from dp_spark.labeling.resources import hashed_parts, loaded
from dp_spark.labeling.rules import BatchRule, ColumnRule, LookupRule, PatternRule, RowRule, Rule
from dp_spark.labeling.vote import vote

HASH_DIGITS = 16


@dataclass(frozen=True)
class LabelingFunction:
    """A named rule that votes on data points.

    Attributes:
        name: unique within a label matrix; what reports and errors call it.
        kind: what made it: "row", "batch", "column", "patterns", "lookup", "model", "crowd", "existing column".
        rule: how it votes.
        resources: keyword arguments of every call. A `LoadedOnce` is replaced by what it loads.
        columns: the columns that it reads, or None if that is not known: then it is shown all of them.
        preprocessors: whose values it may read.
        content_hash: 16 hex digits over the code, its constants, resources and preprocessors, but not over
            comments or formatting. Two runs with the same hash cast the same votes.
        max_errors: on how many data points (an integer), or what share of them (a float below 1), it may fail
            and then abstains; None leaves that to `apply_lfs`.
        timeout_seconds: how long it may take for one data point, or one batch; None leaves that to `apply_lfs`.

    Raises:
        ValueError: if the name is empty, or `max_errors` or `timeout_seconds` is out of range.
    """

    name: str
    kind: str
    rule: Rule
    resources: Mapping[str, object] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    preprocessors: tuple[Preprocessor, ...] = ()
    content_hash: str = ""
    max_errors: int | float | None = None
    timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise ValueError(f"the name of a labeling function is {self.name!r}: expected a text.")
        if self.max_errors is not None:
            refuse_bad_budget(self.max_errors, f"max_errors of labeling function {self.name!r}")
        if self.timeout_seconds is not None and not self.timeout_seconds > 0:
            raise ValueError(
                f"timeout_seconds of labeling function {self.name!r} is {self.timeout_seconds}: expected more "
                "than 0."
            )

    def __call__(self, x: object) -> object:
        """What the rule says of data point `x` (of a batch, for a function of batches), without Spark.

        Raises:
            ValueError: if only Spark can say it.
        """
        match self.rule:
            case RowRule(function=function):
                return function(prepared(x, self.preprocessors), **loaded(self.resources))
            case BatchRule(function=function):
                return function(prepared_batch(x, self.preprocessors), **loaded(self.resources))
            case PatternRule() as rule:
                return _vote_of_patterns(rule, getattr(x, rule.column))
            case LookupRule(column=column, votes=votes):
                return votes.get(getattr(x, column))
            case ColumnRule(column=str() as column):
                return getattr(x, column)
        raise ValueError(
            f"labeling function {self.name!r} is of kind {self.kind!r} and runs inside Spark: expected one of "
            "Python. Try it with dp_spark.try_lfs on some rows."
        )


def content_hash(
    what: object, resources: Mapping[str, object] | None = None, preprocessors: Sequence[Preprocessor] = ()
) -> str:
    """The content hash of a labeling function that is made of `what`, resources and preprocessors."""
    parts = [what, hashed_parts(resources or {}), *(p.content_hash for p in preprocessors)]
    return digest(*parts)[:HASH_DIGITS]


def refuse_bad_budget(budget: int | float, what: str) -> None:
    """Refuse an error budget that is neither a number of data points nor a share of them.

    Raises:
        ValueError: naming it.
    """
    is_number = isinstance(budget, (int, float)) and not isinstance(budget, bool)
    if not is_number or budget < 0 or (isinstance(budget, float) and budget >= 1):
        raise ValueError(
            f"{what} is {budget!r}: expected how many data points it may fail on (an integer, 0 or more), or "
            "what share of them (a float, 0 to 1)."
        )


def _vote_of_patterns(rule: PatternRule, text: object) -> object:
    if text is None:
        return None
    import pyarrow as pa

    units = [unit for _, group in rule.patterns for unit in group]
    found = iter(rows.size > 0 for rows in PatternMatcher(units).match(pa.array([text], pa.string())).rows)
    return vote(
        {
            choice: any([next(found) for _ in group])  # noqa: C419  (all have to be taken)
            for choice, group in rule.patterns
        }
    )
