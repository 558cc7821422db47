"""The names of the label models, and what each can use: for configurations, which are read without TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Literal

ModelName = Literal[
    "auto",
    "class_conditional",
    "dawid_skene",
    "empirical_bayes",
    "one_coin",
    "gradient_descent",
    "majority_vote",
    "specific_vote",
]

MIN_LFS = 3  # for "class_conditional": of fewer, only products of what they tell are known
USE_PRIORS = ("auto", "empirical_bayes", "specific_vote", "dawid_skene")
USE_DEPENDENCIES = ("auto", "empirical_bayes", "one_coin")


def refuse_other_classes(model: str, num_classes: int) -> None:
    """Refuse a number of classes that a label model is not for.

    Raises:
        ValueError: naming both.
    """
    if model == "class_conditional" and num_classes != 2:
        raise ValueError(
            f"there are {num_classes} classes: model='class_conditional' is for two. Use 'auto', or "
            "'dawid_skene' where LFs vote for every class."
        )


def refuse_few_lfs(model: str, num_voting: int) -> None:
    """Refuse fewer labeling functions that vote than a label model needs.

    Raises:
        ValueError: naming both.
    """
    if model == "class_conditional" and num_voting < MIN_LFS:
        raise ValueError(
            f"{num_voting} labeling functions vote: model='class_conditional' needs at least {MIN_LFS}. Use 'auto'."
        )


def refuse_unused(
    model: str, prior_accuracies: Mapping[str, float] | None, dependencies: Sequence[Sequence[str]]
) -> None:
    """Refuse assumptions that a label model would not use.

    Raises:
        ValueError: naming them.
    """
    given = {
        "prior_accuracies": (prior_accuracies, USE_PRIORS),
        "dependencies": (dependencies, USE_DEPENDENCIES),
    }
    for name, (value, models) in given.items():
        if value and model not in models:
            raise ValueError(
                f"model={model!r} does not use {name}, which is {value!r}: expected one of {list(models)}. Leave it "
                "out, or take another model."
            )
