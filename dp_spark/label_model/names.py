"""The names of the label models: for configurations, which are read without TensorFlow, as for fits."""

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
