"""What the tutorial shows, as a text for a terminal."""

from collections.abc import Mapping

NUM_LFS_SHOWN = 20  # metrics.json has them all

_LINES = {
    "majority_vote_accuracy": "majority vote, all rows",
    "label_accuracy": "labels, all rows",
    "oracle_label_accuracy": "labels from the true LF accuracies (the ceiling)",
    "end_model_accuracy": "end model trained on the labels, test rows",
    "supervised_accuracy": "the same end model trained on the truth, test rows",
}


def tutorial_text(metrics: Mapping[str, object], output: str) -> str:
    """The metrics of `run_tutorial` as the tutorial prints them.

    Args:
        metrics: what `run_tutorial` returned.
        output: where the results are.
    """
    rows = metrics["lfs"] if isinstance(metrics["lfs"], list) else []
    lines = [
        f"{metrics['num_data_points']:,} data points, {metrics['num_lfs']} labeling functions",
        "",
        f"{'labeling function':20s} {'coverage':>9s} {'estimated':>10s} {'true':>8s} {'error':>8s}",
    ]
    for row in rows[:NUM_LFS_SHOWN]:
        shown = (
            f"{row['coverage']:9.3f} {row['accuracy']:10.3f} {row['true_accuracy']:8.3f} {row['error']:8.3f}"
        )
        lines.append(f"{row['name']:20s} {shown}")
    if len(rows) > NUM_LFS_SHOWN:
        lines.append(f"... and {len(rows) - NUM_LFS_SHOWN} more in metrics.json")
    lines += [f"{'mean error':49s} {metrics['mean_accuracy_error']:8.3f}", "", f"{'accuracy':58s}"]
    lines += [f"  {text:55s} {metrics[name]:.4f}" for name, text in _LINES.items()]
    warnings = metrics["warnings"]
    lines += [f"warning: {text}" for text in warnings] if isinstance(warnings, list) else []
    seconds = metrics["seconds"] if isinstance(metrics["seconds"], Mapping) else {}
    lines += ["", "seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())]
    return "\n".join([*lines, f"tables, models and metrics.json are in {output}"])
