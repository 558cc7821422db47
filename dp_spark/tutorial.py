"""The tutorial from end to end on Spark, at any size: synthetic votes in, a trained end model out.

Source: "Data Programming in TensorFlow" (Iter, Ratner, Ré). At its defaults the tutorial got: majority
vote 0.693, labels 0.727, end model 0.8545, the same end model trained on the true labels 0.869.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dp_spark.counting.count import count_votes
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.end_model.artifact import save_end_model
from dp_spark.end_model.predict import PREDICTIONS_KIND, predict
from dp_spark.end_model.preflight import check_cluster
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.train import train_end_model
from dp_spark.label_model.fit import fit_label_model
from dp_spark.label_model.model import LabelModel, Vector, log_odds_weights
from dp_spark.label_model.priors import DEFAULT_ACCURACY
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.matrix import LabelMatrix, write_label_matrix
from dp_spark.labels.label import LABELS_KIND, PROB_LABEL, label
from dp_spark.labels.shards import write_shards
from dp_spark.publishing import publish, refuse_existing, refuse_foreign
from dp_spark.report.evaluate import evaluate
from dp_spark.session import stage
from dp_spark.stage_names import RESULT_NAMES
from dp_spark.storage import Storage, join_path
from dp_spark.synthetic import SyntheticTask, feature_table, gold_table, synthetic_lfs, vote_table
from dp_spark.tables import read_table, write_table

KEY = ("id",)
OWN_NAMES = RESULT_NAMES | {"supervised"}
TRAIN_SHARE = 0.8  # the first 80% of the rows train, the others test: rows are independent
TRAINING = TrainingSettings(num_epochs=20, batch_size=512, learning_rate=0.01, l2=0.0, num_workers=2)


@dataclass(frozen=True)
class Tutorial:
    """One run of the tutorial.

    Attributes:
        task: the synthetic data.
        training: of both end models.
        max_training_rows: at most so many rows train the end models, and a quarter as many test them.
    """

    task: SyntheticTask
    training: TrainingSettings = TRAINING
    max_training_rows: int = 400_000

    @property
    def num_training_rows(self) -> int:
        """Rows with ids below this train; all of them are in the tutorial's first 80%."""
        return min(int(TRAIN_SHARE * self.task.num_data_points), self.max_training_rows)

    @property
    def test_ids(self) -> tuple[int, int]:
        """The first id of the test rows, and the one after the last."""
        first = int(TRAIN_SHARE * self.task.num_data_points)
        num_rows = min(self.task.num_data_points - first, max(1, self.max_training_rows // 4))
        return first, first + num_rows


def run_tutorial(
    storage: Storage, tutorial: Tutorial, output: str, *, overwrite: bool = False
) -> dict[str, object]:
    """Run every stage, leave all tables, models and metrics.json in `output`, and return the metrics.

    Args:
        storage: the file systems, and the session.
        tutorial: what to run.
        output: a directory, on any file system that Spark reaches.
        overwrite: replace results that are there, once the new ones are complete.

    Raises:
        OutputExistsError: if `output` is there and `overwrite` is false, or holds files of others.
        EnvironmentProblem: if the training workers do not fit on the cluster; before anything is computed.
        TrainingError: if a worker fails.
    """
    seconds: dict[str, float] = {}
    refuse_existing(storage, output, overwrite)
    refuse_foreign(storage, output, OWN_NAMES)
    check_cluster(storage.spark, tutorial.training.num_workers)
    with publish(storage, output, overwrite=overwrite) as directory:
        counts, model, scores = _label(storage, tutorial, directory, seconds)
        scores |= _train(storage, tutorial, directory, seconds)
        metrics = _metrics(tutorial, counts, model, scores, seconds, storage.spark)
        storage.write_text(join_path(directory, "metrics.json"), json.dumps(metrics, indent=2) + "\n")
    return metrics


def _label(
    storage: Storage, tutorial: Tutorial, directory: str, seconds: dict[str, float]
) -> tuple[VoteCounts, LabelModel, dict[str, float | None]]:
    """Steps 1 and 2: votes, accuracies, labels, and their scores on all rows."""
    spark, task = storage.spark, tutorial.task
    with stage(spark, "apply_lfs", seconds):
        matrix = apply_lfs(vote_table(spark, task), synthetic_lfs(task), key=KEY)
        matrix = write_label_matrix(matrix, join_path(directory, "label_matrix"), storage)
    with stage(spark, "count_votes", seconds):
        counts = count_votes(matrix)
        storage.write_bytes(join_path(directory, "vote_counts.npz"), counts.to_bytes())
    with stage(spark, "fit_label_model", seconds):
        model = fit_label_model(counts, "one_coin", class_balance=task.positive_share)
        storage.write_text(join_path(directory, "label_model.json"), model.to_json())
    with stage(spark, "label", seconds):
        description: dict[str, object] = {"label_model": model.model_id}
        path = join_path(directory, "labels")
        write_table(label(matrix, model), path, storage, kind=LABELS_KIND, description=description, key=KEY)
    with stage(spark, "evaluate_labels", seconds):
        scores = _label_scores(storage, task, matrix, model, path)
    return counts, model, scores


def _label_scores(
    storage: Storage, task: SyntheticTask, matrix: LabelMatrix, model: LabelModel, labels_path: str
) -> dict[str, float | None]:
    """Accuracy on all rows of the majority vote, the labels, and labels from the true accuracies."""
    oracle = _model_of(model, task.lf_accuracies, "oracle")
    equal = _model_of(
        model, np.full(len(model.lf_names), DEFAULT_ACCURACY), "majority_vote", np.array([0.5, 0.5])
    )
    tables = {
        "majority_vote_accuracy": label(matrix, equal),
        "label_accuracy": read_table(storage, labels_path, LABELS_KIND)[0],
        "oracle_label_accuracy": label(matrix, oracle),
    }
    gold = gold_table(storage.spark, task)
    return {
        name: evaluate(labels, gold, key=KEY, num_replicates=0).all.accuracy
        for name, labels in tables.items()
    }


def _model_of(fitted: LabelModel, accuracies: Vector, name: str, balance: Vector | None = None) -> LabelModel:
    """The label model of the same LFs with other accuracies: the true ones, or all the same."""
    return LabelModel(
        model=name,
        lf_names=fitted.lf_names,
        lf_hashes=fitted.lf_hashes,
        num_classes=fitted.num_classes,
        accuracies=accuracies,
        weights=log_odds_weights(accuracies, fitted.num_classes),
        class_balance=fitted.class_balance if balance is None else balance,
    )


def _train(
    storage: Storage, tutorial: Tutorial, directory: str, seconds: dict[str, float]
) -> dict[str, float | None]:
    """Step 3: the end model on the labels, and the same end model on the truth, scored on the test rows."""
    spark, task = storage.spark, tutorial.task
    truth = gold_table(spark, task).select("id", (F.col("gold") > 0).cast("double").alias(PROB_LABEL))
    labels, _ = read_table(storage, join_path(directory, "labels"), LABELS_KIND)
    first, last = tutorial.test_ids
    test_gold = gold_table(spark, task).where(F.col("id").between(first, last - 1))
    test_points = feature_table(spark, task).where(F.col("id").between(first, last - 1))
    sources = {"end_model": labels, "supervised": truth}
    return {
        f"{name}_accuracy": _end_model_accuracy(
            storage, tutorial, source, test_points, test_gold, directory, name, seconds
        )
        for name, source in sources.items()
    }


def _end_model_accuracy(
    storage: Storage,
    tutorial: Tutorial,
    labels: DataFrame,
    test_points: DataFrame,
    test_gold: DataFrame,
    directory: str,
    name: str,
    seconds: dict[str, float],
) -> float | None:
    spark, is_train = storage.spark, F.col("id") < tutorial.num_training_rows
    place = directory if name == "end_model" else join_path(directory, name)
    with stage(spark, f"write_shards ({name})", seconds):
        manifest = write_shards(
            feature_table(spark, tutorial.task).where(is_train),
            labels.where(is_train),
            join_path(place, "training_set"),
            key=KEY,
            storage=storage,
            features=["features"],
            seed=tutorial.task.seed,
        )
    with stage(spark, f"train_end_model ({name})", seconds):
        model = train_end_model(spark, manifest, tutorial.training, storage=storage)
        save_end_model(storage, join_path(place, "end_model"), model)
    with stage(spark, f"predict ({name})", seconds):
        path = join_path(place, "predictions")
        write_table(
            predict(test_points, model, key=KEY),
            path,
            storage,
            kind=PREDICTIONS_KIND,
            description={},
            key=KEY,
        )
        predictions, _ = read_table(storage, path, PREDICTIONS_KIND)
        return evaluate(predictions, test_gold, key=KEY, num_replicates=0).all.accuracy


def _metrics(
    tutorial: Tutorial,
    counts: VoteCounts,
    model: LabelModel,
    scores: Mapping[str, float | None],
    seconds: Mapping[str, float],
    spark: SparkSession,
) -> dict[str, object]:
    truth = tutorial.task.lf_accuracies
    errors = np.abs(model.accuracies - truth)
    return {
        "num_data_points": counts.num_data_points,
        "num_lfs": counts.num_lfs,
        **scores,
        "mean_accuracy_error": float(errors.mean()),
        "num_training_rows": tutorial.num_training_rows,
        "num_test_rows": tutorial.test_ids[1] - tutorial.test_ids[0],
        "lfs": [
            {
                "name": n,
                "coverage": float(c),
                "accuracy": float(a),
                "true_accuracy": float(t),
                "error": float(e),
            }
            for n, c, a, t, e in zip(
                counts.lf_names, counts.coverage, model.accuracies, truth, errors, strict=True
            )
        ],
        "task": asdict(tutorial.task),
        "training": asdict(tutorial.training),
        "warnings": list(model.warnings),
        "spark": {"version": spark.version, "master": spark.conf.get("spark.master", "")},
        "seconds": dict(seconds),
    }
