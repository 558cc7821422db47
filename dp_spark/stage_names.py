"""The stages of a run in order and the names of what they leave, without Spark or TensorFlow."""

GOLD_END_MODEL = "gold_end_model"  # the name of a result, and of its scores
GOLD_TRAINING_SET = "gold_training_set"  # is there until that model is trained
RUN_FILE = "run.json"  # what the results of a directory were made from
METRICS = "metrics.json"
REPORT_PAGE = "report.html"
REPORT_NUMBERS = "report.json"  # written before the page

RESULTS = {
    "apply-lfs": "label_matrix",
    "count-votes": "vote_counts.npz",
    "fit-label-model": "label_model.json",
    "label": "labels",
    "write-shards": "training_set",
    "train-end-model": "end_model",
    "predict": "predictions",
    "train-gold-model": GOLD_END_MODEL,
    "evaluate": METRICS,
    "report": REPORT_PAGE,
}
RESULT_NAMES = frozenset(RESULTS.values())
OWN_NAMES = RESULT_NAMES | {RUN_FILE, GOLD_TRAINING_SET, REPORT_NUMBERS}
# Stages that may leave no result, and the stage that would read it.
ONLY_READER = {"train-gold-model": "evaluate"}
