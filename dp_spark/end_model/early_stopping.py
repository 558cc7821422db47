"""When training ends because it no longer helps on rows held out; pure functions of the history."""

from collections.abc import Sequence

from dp_spark.end_model.checkpoint import Metrics

VALIDATION_LOSS = "validation_loss"


def is_best(history: Sequence[Metrics]) -> bool:
    """Whether the last epoch has a lower validation loss than all before it.

    >>> is_best([{"validation_loss": 0.7}, {"validation_loss": 0.6}])
    True
    """
    losses = [metrics[VALIDATION_LOSS] for metrics in history]
    return losses[-1] < min(losses[:-1], default=float("inf"))


def has_stopped(history: Sequence[Metrics], patience: int) -> bool:
    """Whether the last `patience` epochs were no better than the best before them.

    Args:
        history: the metrics of every epoch that is done.
        patience: how many; 0 never stops.

    >>> has_stopped([{"validation_loss": 0.6}, {"validation_loss": 0.7}], 1)
    True
    """
    if not patience or len(history) <= patience:
        return False
    losses = [metrics[VALIDATION_LOSS] for metrics in history]
    return losses.index(min(losses)) < len(losses) - patience
