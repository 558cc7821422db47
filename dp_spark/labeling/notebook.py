"""How a label matrix shows itself in notebooks and on terminals, from what is known without a Spark job."""

from typing import TYPE_CHECKING

from dp_spark.html import MAX_ROWS, card, number, table, texts
from dp_spark.texts import seconds_text

if TYPE_CHECKING:
    from dp_spark.labeling.lf_runs import LFRun
    from dp_spark.labeling.matrix import LabelMatrix

_MAX_CLASSES = 6  # whose votes are shown
_HINT = "Rows: columns().limit(10).toPandas(), which runs a Spark job."
_NOT_WRITTEN = (
    "Its votes are cast whenever it is used: write_label_matrix casts them once, and says what each labeling "
    "function did."
)


def label_matrix_text(matrix: "LabelMatrix") -> str:
    """The label matrix in a line."""
    state = "written" if matrix.application is None else "not written"
    key = ", ".join(matrix.key)
    return f"LabelMatrix(m={len(matrix.lf_names)}, k={matrix.num_classes}, key=[{key}], {state})"


def label_matrix_html(matrix: "LabelMatrix") -> str:
    """What each labeling function did, if the matrix is written, else what there is to run."""
    runs = {run.name: run for run in matrix.lf_runs if run.kind != "preprocessor"}
    num_rows = max((run.num_data_points for run in runs.values()), default=None)
    facts = {
        "data points": "not counted" if num_rows is None else f"{num_rows:,}",
        "labeling functions": len(matrix.lf_names),
        "classes": ", ".join(matrix.class_names) or matrix.num_classes,
        "key": ", ".join(matrix.key),
    }
    if runs:
        return card("LabelMatrix", facts, _runs_table(list(runs.values())), texts([_HINT]))
    lfs = matrix.application.lfs if matrix.application else ()
    kinds = {lf.name: lf.kind for lf in lfs}
    rows = [(name, kinds.get(name, "–")) for name in matrix.lf_names[:MAX_ROWS]]
    listed = table(["LF", "kind"], rows, len(matrix.lf_names))
    return card("LabelMatrix", facts, listed, texts([*([_NOT_WRITTEN] if lfs else []), _HINT]))


def _runs_table(runs: "list[LFRun]") -> str:
    titles = ["LF", "kind", "coverage", "votes", "errors", "time"]
    rows = [
        (
            run.name,
            run.kind,
            number(sum(run.votes.values()) / max(run.num_data_points, 1)),
            _votes(run),
            f"{run.num_errors:,}",
            "in Spark" if run.seconds is None else seconds_text(run.seconds),
        )
        for run in runs[:MAX_ROWS]
    ]
    return table(titles, rows, len(runs))


def _votes(run: "LFRun") -> str:
    votes = [f"{name}: {times:,}" for name, times in run.votes.items() if times]
    return ", ".join([*votes[:_MAX_CLASSES], *(["…"] if len(votes) > _MAX_CLASSES else [])]) or "none"
