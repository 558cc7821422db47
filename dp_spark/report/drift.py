"""Whether labeling functions vote alike in all parts of a table.

For each labeling function, votes and abstentions by part are a table of counts; Pearson's χ² says whether the rows
differ beyond chance, Bonferroni's bound keeps one in many from being found by chance. With millions of rows every
difference is beyond chance: so it has to be large, too. Its size is the standard deviation between parts of the share
of rows that get a vote, without the part of it that chance adds.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dp_spark.label_model.independence import chi_squared_quantile
from dp_spark.report.part_votes import PartVotes
from dp_spark.report.vote_facts import Drift, LFDrift, Part

FALSE_ALARM_RATE = 0.05  # to find drift of any labeling function where there is none
LEAST_RELATIVE_SPREAD = 0.2  # of the share itself, and
LEAST_SPREAD = 0.05  # of all rows: one of both makes a difference large enough to matter
LEAST_VOTES = 5  # a class is looked at by itself if it has so many votes for each part
NUM_SERIES = 8  # labeling functions that are shown part by part

Vector = npt.NDArray[np.float64]


def drift_of(
    votes: PartVotes, by: str, names: Sequence[str], lf_names: Sequence[str], class_names: Sequence[str]
) -> Drift:
    """How votes differ between parts.

    Args:
        votes: of s parts, m labeling functions and k classes.
        by: what the parts are.
        names: of the parts.
        lf_names: m names.
        class_names: what the classes are called.
    """
    is_filled = votes.num_data_points > 0
    rows, cast = votes.num_data_points[is_filled], votes.votes[is_filled]
    parts = [part for part, filled in zip(names, is_filled, strict=True) if filled]
    found = [
        (i, _lf_drift(name, rows, cast[:, i], class_names, len(lf_names))) for i, name in enumerate(lf_names)
    ]
    found.sort(key=lambda item: (not item[1].is_drifting, -item[1].chi_squared / max(item[1].degrees, 1)))
    with_series = (
        _with_series(lf, rows, cast[:, i], class_names) if at < NUM_SERIES else lf
        for at, (i, lf) in enumerate(found)
    )
    sizes = zip(parts, rows.tolist(), strict=True)
    return Drift(by, tuple(Part(name, num) for name, num in sizes), tuple(with_series))


def _lf_drift(
    name: str, rows: npt.NDArray[np.int64], cast: npt.NDArray[np.int64], class_names: Sequence[str], m: int
) -> LFDrift:
    num_parts, total = len(rows), int(rows.sum())
    shares, sizes = cast.sum(axis=0) / max(total, 1), rows / max(total, 1)
    chance = (num_parts - 1) / max(total, 1) * shares * (1 - shares)
    variance = sizes @ (cast / rows[:, None] - shares) ** 2 - chance
    spreads = np.sqrt(np.maximum(variance, 0.0))
    is_frequent = cast.sum(axis=0) >= LEAST_VOTES * num_parts
    chi_squared, degrees = _chi_squared(rows, cast[:, is_frequent])
    is_large = (spreads >= LEAST_SPREAD) | (spreads >= LEAST_RELATIVE_SPREAD * shares)
    is_beyond_chance = chi_squared > chi_squared_quantile(1 - FALSE_ALARM_RATE / m, degrees)
    worst = int(np.argmax(np.where(is_frequent, spreads, -1.0)))
    return LFDrift(
        name=name,
        chi_squared=chi_squared,
        degrees=degrees,
        is_drifting=bool(degrees and is_beyond_chance and (is_large & is_frequent).any()),
        class_name=class_names[worst],
        share=float(shares[worst]),
        spread=float(spreads[worst]),
    )


def _chi_squared(rows: npt.NDArray[np.int64], cast: npt.NDArray[np.int64]) -> tuple[float, int]:
    """Pearson's χ² of votes by part, all others together with the abstentions, and its degrees of freedom."""
    outcomes = np.column_stack([cast, rows - cast.sum(axis=1)])
    outcomes = outcomes[:, outcomes.any(axis=0)]
    expected = np.outer(rows, outcomes.sum(axis=0)) / max(int(rows.sum()), 1)
    degrees = (len(rows) - 1) * (outcomes.shape[1] - 1)
    return float(((outcomes - expected) ** 2 / expected).sum()) if degrees > 0 else 0.0, max(degrees, 0)


def _with_series(
    lf: LFDrift, rows: npt.NDArray[np.int64], cast: npt.NDArray[np.int64], class_names: Sequence[str]
) -> LFDrift:
    of_class = cast[:, list(class_names).index(lf.class_name)] / rows
    return replace(
        lf,
        coverages=tuple((cast.sum(axis=1) / rows).tolist()),
        class_shares=tuple(of_class.tolist()),
    )
