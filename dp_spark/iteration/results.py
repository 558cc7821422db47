"""What the directory of a run holds, without its configuration: whatever it has, of one version.

A result that was made from an earlier version of another one is left out, with a note.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dp_spark.counting.summary import LFSummaryRow, lf_summary
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.errors import MissingResultError
from dp_spark.iteration.label_classes import LabeledVotes
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.matrix import LabelMatrix, read_label_matrix
from dp_spark.labels.label import LABELS_KIND
from dp_spark.stage_names import RUN_FILE
from dp_spark.storage import Storage, join_path, read_description

MATRIX, COUNTS = "label_matrix", "vote_counts.npz"
_NAMES = (RUN_FILE, MATRIX, COUNTS, "label_model.json", "labels", "metrics.json")


@dataclass(frozen=True)
class Results:
    """What a run left; None is not there, or not of the version that is.

    Attributes:
        directory: where it lies.
        made_from: run.json: a digest for each part of the configuration, and the LFs' content hashes.
        matrix: the label matrix.
        counts: the vote counts.
        model: the label model.
        metrics: metrics.json.
        missing: names of results that are not there.
        notes: what was left out, one sentence each.
    """

    directory: str
    made_from: Mapping[str, object]
    matrix: LabelMatrix | None
    counts: VoteCounts | None
    model: LabelModel | None
    metrics: Mapping[str, object] | None
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def lf_hashes(self) -> dict[str, str]:
        """The content hash of each LF; empty texts if they are not known."""
        for source in (self.matrix, self.counts, self.model):
            if source is not None:
                hashes = source.lf_hashes or ("",) * len(source.lf_names)
                return dict(zip(source.lf_names, hashes, strict=True))
        found = self.made_from.get("lfs")
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, Mapping) else {}

    @property
    def labeled_votes(self) -> LabeledVotes | None:
        """Label matrix and label model, if both are there."""
        return LabeledVotes(self.matrix, self.model) if self.matrix and self.model else None

    @property
    def summary(self) -> dict[str, LFSummaryRow]:
        """Coverage, overlaps and conflicts of each LF; empty without vote counts."""
        return {row.name: row for row in lf_summary(self.counts).rows} if self.counts else {}

    @property
    def gold_accuracies(self) -> dict[str, float]:
        """The accuracy of each LF on gold labels, where it is known."""
        rows = (self.metrics or {}).get("lfs")
        found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
        known = [row for row in found if "name" in row and row.get("empirical_accuracy") is not None]
        return {row["name"]: row["empirical_accuracy"] for row in known}


def read_results(storage: Storage, directory: str) -> Results:
    """What a directory holds of a run; small files, and the descriptions of tables.

    Raises:
        MissingResultError: if it holds nothing of a run.
        ValueError: if a file is damaged, or of a newer version of dp_spark.
    """
    there = {name for name in _NAMES if storage.exists(join_path(directory, name))}
    if not there:
        raise MissingResultError(
            f"{directory} holds no results of a run: expected one of {list(_NAMES)}. Name the directory that `output` "
            "of the configuration names."
        )

    def text(name: str) -> str | None:
        return storage.read_text(join_path(directory, name)) if name in there else None

    made_from, metrics, model_text = text(RUN_FILE), text("metrics.json"), text("label_model.json")
    found = Results(
        directory=directory,
        made_from=json.loads(made_from) if made_from else {},
        matrix=read_label_matrix(storage, join_path(directory, MATRIX)) if MATRIX in there else None,
        counts=_counts(storage, directory) if COUNTS in there else None,
        model=LabelModel.from_json(model_text) if model_text else None,
        metrics=json.loads(metrics) if metrics else None,
        missing=tuple(name for name in _NAMES[1:] if name not in there),
        notes=(),
    )
    return _of_one_version(found, _labels_id(storage, directory) if "labels" in there else None)


def _counts(storage: Storage, directory: str) -> VoteCounts:
    return VoteCounts.from_bytes(storage.read_bytes(join_path(directory, COUNTS)))


def _labels_id(storage: Storage, directory: str) -> str:
    """Which label model made the label table."""
    return str(read_description(storage, join_path(directory, "labels"), LABELS_KIND)["label_model"])


def _of_one_version(found: Results, labels_id: str | None) -> Results:
    """The results without those that are not of the others, and with notes on them."""
    is_counts = _is_of(found.counts, found.matrix)
    is_model = _is_of(found.model, found.matrix)
    metrics_id = (found.metrics or {}).get("label_model_id")
    is_metrics = not (metrics_id and found.model) or metrics_id == found.model.model_id
    pairs = {
        (COUNTS, MATRIX): is_counts,
        ("label_model.json", MATRIX): is_model,
        ("metrics.json", "label_model.json"): is_metrics,
    }
    notes = [
        f"{found.directory}: {name} was made from an earlier {of}, and is left out"
        for (name, of), is_current in pairs.items()
        if not is_current
    ]
    if found.model and is_model and labels_id not in (None, found.model.model_id):
        notes.append(
            f"{found.directory}: labels was made from an earlier label_model.json; compared is what the label model "
            "gives now"
        )
    if found.metrics and not metrics_id:
        notes.append(
            f"{found.directory}: metrics.json does not say which label model it is of, and is left out"
        )
    return replace(
        found,
        counts=found.counts if is_counts else None,
        model=found.model if is_model else None,
        metrics=found.metrics if metrics_id and is_metrics else None,
        notes=tuple(notes),
    )


def _is_of(source: VoteCounts | LabelModel | None, matrix: LabelMatrix | None) -> bool:
    """Whether vote counts or a label model are of the LFs of a label matrix, as far as both are there."""
    if source is None or matrix is None:
        return True
    return source.lf_names == matrix.lf_names and source.lf_hashes in ((), matrix.lf_hashes)
