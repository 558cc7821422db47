"""`dp-spark explain KEY`: why a data point has its label, beside what is stored, predicted and true."""

from collections.abc import Mapping, Sequence

import numpy as np

from dp_spark.commands.outcome import Outcome
from dp_spark.iteration.explanation_text import Explained, LFTerm, explanation_text
from dp_spark.iteration.keys import key_of_texts, point_at, row_at
from dp_spark.iteration.label_classes import LabeledVotes, class_titles, labeled, position_titles
from dp_spark.iteration.plain_values import plain
from dp_spark.label_model.explanation import LogOdds
from dp_spark.labeling.packing import VOTES_COLUMN, votes_of_value
from dp_spark.labeling.votes import Votes
from dp_spark.labels.label import PROB_LABEL
from dp_spark.run import Run, points_there, read_label_model, read_labels, read_matrix, read_predictions
from dp_spark.tables import quoted, refuse_missing_columns

TOLERANCE = 1e-9  # a stored label that is further from the recomputed one was made otherwise


def explain(
    run: Run, key: Sequence[str], columns: Sequence[str] = (), *, all_columns: bool = False
) -> Outcome:
    """Why one data point has its label; of each table that is there, reads its row alone.

    Args:
        run: a run whose label model is fitted.
        key: a value for each key column, as typed on a command line.
        columns: of the table, to show beside it.
        all_columns: show all of them.

    Returns:
        Good unless the stored label is not the one that the label model gives.

    Raises:
        MissingResultError: if label matrix or label model are not there, or a result is of an earlier one.
        ValueError: if the key has too many or too few values, they do not parse, or there is no such data point.
        SchemaError: if a column is not there.
    """
    found = LabeledVotes(read_matrix(run), read_label_model(run))
    typed = key_of_texts(found.matrix.key, key)
    point = point_at(found.matrix, typed)
    stored = _stored(run, typed)
    gold, row = _of_table(run, typed, columns, found, all_columns=all_columns)
    content = _explained(
        found, {name: point[name] for name in typed}, votes_of_value(point[VOTES_COLUMN]), stored
    )
    content.update({"end_model": _predicted(run, typed), "gold": gold, "row": row})
    return Outcome(explanation_text(content), content, content["stored_is_same"] is not False)


def _explained(
    found: LabeledVotes, key: Mapping[str, object], votes: Votes, stored: list[float] | None
) -> Explained:
    """The label of a row of votes, and what its log-odds against the second likeliest class add up from."""
    model, titles, explanation = found.model, _titles(found), found.model.explain(votes)
    probs, positions = labeled(model, votes[None])
    first, second = (model.classes[i] for i in np.argsort(-explanation.scores, kind="stable")[:2])
    odds = explanation.log_odds(first, second)
    difference = None if stored is None else np.abs(np.array(stored) - probs[0]).max()
    return Explained(
        key={name: plain(value) for name, value in key.items()},
        label=position_titles(found.classes)[positions[0]],
        classes=list(class_titles(found.classes)),
        probabilities=probs[0].tolist(),
        num_votes=int(np.count_nonzero(votes)),
        label_model=model.model,
        class_balance=model.class_balance.tolist(),
        log_odds={
            "of": titles[first],
            "against": titles[second],
            "class_balance": odds.class_balance,
            "total": odds.total,
        },
        lfs=_lf_terms(found, votes, odds),
        stored=stored,
        stored_is_same=None if difference is None else bool(difference <= TOLERANCE),
        end_model=None,
        gold=None,
        row={},
    )


def _titles(found: LabeledVotes) -> dict[int, str]:
    """What each vote is called."""
    return dict(zip((0, *found.model.classes), ("abstains", *class_titles(found.classes)), strict=True))


def _lf_terms(found: LabeledVotes, votes: Votes, odds: LogOdds) -> list[LFTerm]:
    model, titles = found.model, _titles(found)
    terms, intervals = model.explain(votes).terms, np.asarray(model.intervals)
    return [
        LFTerm(
            name=name,
            vote=int(votes[i]),
            title=titles[int(votes[i])],
            log_odds=odds.by_lf.get(name, 0.0),
            terms=terms[i].tolist(),
            weight=float(model.weights[i]),
            accuracy=float(model.accuracies[i]),
            accuracy_interval=intervals[i].tolist(),
        )
        for i, name in enumerate(model.lf_names)
    ]


def _stored(run: Run, key: Mapping[str, object]) -> list[float] | None:
    """The probabilities in the label table; None if there is none."""
    if not run.storage.exists(run.path("labels")):
        return None
    row = row_at(read_labels(run)[0], list(key), key)
    return None if row is None else _probabilities(row[PROB_LABEL])


def _predicted(run: Run, key: Mapping[str, object]) -> list[float] | None:
    """The end model's probabilities; None if there are none."""
    if not run.storage.exists(run.path("predictions")):
        return None
    row = row_at(read_predictions(run), list(key), key)
    return None if row is None else _probabilities(row[PROB_LABEL])


def _probabilities(prob_label: float | Sequence[float]) -> list[float]:
    return [1 - prob_label, prob_label] if isinstance(prob_label, float) else list(prob_label)


def _of_table(
    run: Run, key: Mapping[str, object], columns: Sequence[str], found: LabeledVotes, *, all_columns: bool
) -> tuple[str | None, dict[str, object]]:
    """The gold label, and the columns to show; the table is not read if there is neither."""
    gold = run.config.table.gold
    if not (gold or columns or all_columns):
        return None, {}
    points = points_there(run)
    refuse_missing_columns(points, {"--column": columns}, run.config.table.path)
    shown = points.columns if all_columns else list(dict.fromkeys(columns))
    wanted = [*shown, *([gold] if gold else [])]
    needed = list(dict.fromkeys([*key, *wanted]))
    row = row_at(points.select(*map(quoted, needed)), list(key), key)
    if row is None:
        return None, {}
    truth = _titles(found).get(row[gold]) if gold and row[gold] else None
    return truth, {name: plain(row[name]) for name in shown}
