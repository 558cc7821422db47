"""Data programming (programmatic weak supervision) as distributed batch jobs on Apache Spark.

    DataFrame ──apply_lfs──▶ LabelMatrix ──count_votes──▶ VoteCounts ──fit_label_model──▶ LabelModel
    LabelMatrix + LabelModel ──label──▶ DataFrame(key…, prob_label, num_votes)
    DataFrame + labels ──write_shards──▶ ShardManifest ──train_end_model──▶ EndModel ──predict──▶ DataFrame
    gold + any prob_label table ──evaluate──▶ Report;  gold + several ──compare──▶ Comparison

Notation, used everywhere: n data points; m labeling functions (LFs); k classes; L the (n, m) label matrix of
votes, λ a row of it; 0 abstains; N = |L|ᵀ|L| overlaps; Z the (m, m) agreement matrix; p accuracies and
q = 2p - 1; w = log(p / (1 - p)) weights; b log-odds of the class balance.

Importing the package loads neither Spark nor TensorFlow: public names are loaded when first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dp_spark.counting.conflicts import conflicting_rows as conflicting_rows
    from dp_spark.counting.conflicts import rows_where as rows_where
    from dp_spark.counting.count import count_votes as count_votes
    from dp_spark.counting.gold import count_gold as count_gold
    from dp_spark.counting.summary import lf_summary as lf_summary
    from dp_spark.counting.vote_counts import VoteCounts as VoteCounts
    from dp_spark.end_model.artifact import EndModel as EndModel
    from dp_spark.end_model.few_rows import predict_rows as predict_rows
    from dp_spark.end_model.predict import predict as predict
    from dp_spark.end_model.settings import TrainingSettings as TrainingSettings
    from dp_spark.end_model.train import train_end_model as train_end_model
    from dp_spark.iteration.error_buckets import label_buckets as label_buckets
    from dp_spark.iteration.flips import flipped_rows as flipped_rows
    from dp_spark.iteration.keys import explain_label as explain_label
    from dp_spark.iteration.label_classes import LabeledVotes as LabeledVotes
    from dp_spark.iteration.suggestions import suggest_values as suggest_values
    from dp_spark.label_model.calibration import calibration as calibration
    from dp_spark.label_model.fit import fit_label_model as fit_label_model
    from dp_spark.label_model.model import LabelModel as LabelModel
    from dp_spark.labeling.apply import apply_lfs as apply_lfs
    from dp_spark.labeling.column_lfs import column_lf as column_lf
    from dp_spark.labeling.column_lfs import score_column as score_column
    from dp_spark.labeling.column_lfs import vote_column as vote_column
    from dp_spark.labeling.crowd_lfs import read_crowd_lfs as read_crowd_lfs
    from dp_spark.labeling.functions import batch_labeling_function as batch_labeling_function
    from dp_spark.labeling.functions import labeling_function as labeling_function
    from dp_spark.labeling.labeling_function import LabelingFunction as LabelingFunction
    from dp_spark.labeling.lf_runs import LFRun as LFRun
    from dp_spark.labeling.lookup_lfs import lookup_lf as lookup_lf
    from dp_spark.labeling.lookup_lfs import read_lookup_lf as read_lookup_lf
    from dp_spark.labeling.matrix import LabelMatrix as LabelMatrix
    from dp_spark.labeling.matrix import read_label_matrix as read_label_matrix
    from dp_spark.labeling.matrix import write_label_matrix as write_label_matrix
    from dp_spark.labeling.model_lfs import model_lf as model_lf
    from dp_spark.labeling.pattern_lfs import keyword_lf as keyword_lf
    from dp_spark.labeling.pattern_lfs import pattern_lf as pattern_lf
    from dp_spark.labeling.preprocessors import preprocessor as preprocessor
    from dp_spark.labeling.resources import loaded_once as loaded_once
    from dp_spark.labeling.vote import vote as vote
    from dp_spark.labeling.votes import ABSTAIN as ABSTAIN
    from dp_spark.labeling.votes import NEGATIVE as NEGATIVE
    from dp_spark.labeling.votes import POSITIVE as POSITIVE
    from dp_spark.labels.label import label as label
    from dp_spark.labels.manifest import ShardManifest as ShardManifest
    from dp_spark.labels.shards import write_shards as write_shards
    from dp_spark.progress.display import show_progress as show_progress
    from dp_spark.report.compare import compare as compare
    from dp_spark.report.comparison import Comparison as Comparison
    from dp_spark.report.evaluate import evaluate as evaluate
    from dp_spark.report.scores import Report as Report
    from dp_spark.report.trial import Trial as Trial
    from dp_spark.report.trial import try_lfs as try_lfs
    from dp_spark.storage import Storage as Storage
    from dp_spark.tracking import log_to_mlflow as log_to_mlflow

_MODULES = {
    "ABSTAIN": "dp_spark.labeling.votes",
    "Comparison": "dp_spark.report.comparison",
    "EndModel": "dp_spark.end_model.artifact",
    "LFRun": "dp_spark.labeling.lf_runs",
    "LabelMatrix": "dp_spark.labeling.matrix",
    "LabelModel": "dp_spark.label_model.model",
    "LabeledVotes": "dp_spark.iteration.label_classes",
    "LabelingFunction": "dp_spark.labeling.labeling_function",
    "NEGATIVE": "dp_spark.labeling.votes",
    "POSITIVE": "dp_spark.labeling.votes",
    "Report": "dp_spark.report.scores",
    "ShardManifest": "dp_spark.labels.manifest",
    "Storage": "dp_spark.storage",
    "TrainingSettings": "dp_spark.end_model.settings",
    "VoteCounts": "dp_spark.counting.vote_counts",
    "apply_lfs": "dp_spark.labeling.apply",
    "batch_labeling_function": "dp_spark.labeling.functions",
    "calibration": "dp_spark.label_model.calibration",
    "column_lf": "dp_spark.labeling.column_lfs",
    "compare": "dp_spark.report.compare",
    "conflicting_rows": "dp_spark.counting.conflicts",
    "count_gold": "dp_spark.counting.gold",
    "count_votes": "dp_spark.counting.count",
    "evaluate": "dp_spark.report.evaluate",
    "explain_label": "dp_spark.iteration.keys",
    "fit_label_model": "dp_spark.label_model.fit",
    "flipped_rows": "dp_spark.iteration.flips",
    "keyword_lf": "dp_spark.labeling.pattern_lfs",
    "label": "dp_spark.labels.label",
    "label_buckets": "dp_spark.iteration.error_buckets",
    "labeling_function": "dp_spark.labeling.functions",
    "lf_summary": "dp_spark.counting.summary",
    "loaded_once": "dp_spark.labeling.resources",
    "log_to_mlflow": "dp_spark.tracking",
    "lookup_lf": "dp_spark.labeling.lookup_lfs",
    "model_lf": "dp_spark.labeling.model_lfs",
    "pattern_lf": "dp_spark.labeling.pattern_lfs",
    "predict": "dp_spark.end_model.predict",
    "predict_rows": "dp_spark.end_model.few_rows",
    "preprocessor": "dp_spark.labeling.preprocessors",
    "read_crowd_lfs": "dp_spark.labeling.crowd_lfs",
    "read_label_matrix": "dp_spark.labeling.matrix",
    "read_lookup_lf": "dp_spark.labeling.lookup_lfs",
    "rows_where": "dp_spark.counting.conflicts",
    "show_progress": "dp_spark.progress.display",
    "score_column": "dp_spark.labeling.column_lfs",
    "suggest_values": "dp_spark.iteration.suggestions",
    "Trial": "dp_spark.report.trial",
    "train_end_model": "dp_spark.end_model.train",
    "try_lfs": "dp_spark.report.trial",
    "vote": "dp_spark.labeling.vote",
    "vote_column": "dp_spark.labeling.column_lfs",
    "write_label_matrix": "dp_spark.labeling.matrix",
    "write_shards": "dp_spark.labels.shards",
}

__all__ = list(_MODULES)  # noqa: PLE0605
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'dp_spark' has no attribute {name!r}; it has {', '.join(_MODULES)}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_MODULES, "__version__"]
