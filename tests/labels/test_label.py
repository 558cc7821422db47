from dataclasses import replace

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from dp_spark import LabelMatrix, apply_lfs, count_votes, fit_label_model, label
from dp_spark.labeling.packing import pack_votes
from dp_spark.synthetic import SyntheticTask, synthetic_lfs, vote_table

TASK = SyntheticTask(num_data_points=2000, num_lfs=8, coverage=0.15, seed=5)


@pytest.fixture(scope="module")
def matrix(spark):
    return apply_lfs(vote_table(spark, TASK), synthetic_lfs(TASK), key=["id"])


@pytest.fixture(scope="module")
def model(matrix):
    return fit_label_model(count_votes(matrix), class_balance=0.4)


def test_spark_and_numpy_give_the_same_probabilities(matrix, model):
    rows = label(matrix, model).orderBy("id").collect()
    votes = TASK.votes(np.arange(TASK.num_data_points))
    expected = model.predict_proba(votes)[:, 1]
    assert [row["id"] for row in rows] == list(range(TASK.num_data_points))
    assert np.abs(np.array([row["prob_label"] for row in rows]) - expected).max() < 1e-12
    assert [row["num_votes"] for row in rows] == (votes != 0).sum(axis=1).tolist()


@pytest.mark.parametrize("name", ["auto", "dawid_skene", "class_conditional"])
def test_every_kind_of_model_labels_in_spark_as_in_numpy(matrix, name):
    fitted = fit_label_model(count_votes(matrix), name)
    rows = label(matrix, fitted).orderBy("id").collect()
    expected = fitted.predict_proba(TASK.votes(np.arange(TASK.num_data_points)))[:, 1]
    assert np.abs(np.array([row["prob_label"] for row in rows]) - expected).max() < 1e-12


def test_silence_that_is_a_sign_counts_in_spark_as_in_numpy(matrix):
    fitted = fit_label_model(count_votes(matrix), "class_conditional")
    silent = replace(fitted, abstain_log_likelihoods=np.log([[0.9, 0.6]] * 8))
    rows = label(matrix, silent).orderBy("id").collect()
    expected = silent.predict_proba(TASK.votes(np.arange(TASK.num_data_points)))[:, 1]
    assert np.abs(np.array([row["prob_label"] for row in rows]) - expected).max() < 1e-12
    uncovered = [row["prob_label"] for row in rows if row["num_votes"] == 0]
    assert max(uncovered) < silent.class_balance[1] / 2


def test_rows_without_votes_keep_the_prior(matrix, model):
    uncovered = label(matrix, model).where("num_votes = 0")
    assert uncovered.count() > 100
    assert uncovered.where(F.abs(F.col("prob_label") - 0.4) > 1e-12).count() == 0


def test_labels_do_not_depend_on_the_partitioning(matrix, model):
    split = replace(matrix, df=matrix.df.repartition(5))
    assert_df_equality(label(matrix, model), label(split, model), ignore_row_order=True, ignore_nullable=True)


def test_k_class_labels_hold_one_probability_per_class(spark):
    votes = np.array([[1, 1, 2], [3, 3, 3], [0, 0, 0]], dtype=np.int8)
    packed = [(i, bytes(v.as_py())) for i, v in enumerate(pack_votes(votes))]
    df = spark.createDataFrame(packed, "id int, votes binary")
    three = LabelMatrix(df, ("id",), ("a", "b", "c"), ("", "", ""), 3)
    fitted = fit_label_model(count_votes(three), model="majority_vote")
    rows = label(three, fitted).orderBy("id").collect()
    assert np.allclose([row["prob_label"] for row in rows], fitted.predict_proba(votes), atol=1e-15)
    assert rows[2]["prob_label"] == pytest.approx([1 / 3] * 3)


def test_a_model_of_other_lfs_is_refused(matrix, model):
    with pytest.raises(
        ValueError, match="the label matrix holds votes of .* and the label model was fitted on"
    ):
        label(replace(matrix, lf_names=("a", *matrix.lf_names[1:])), model)


def test_a_model_of_an_earlier_version_of_an_lf_is_refused(matrix, model):
    changed = replace(matrix, lf_hashes=("other", *matrix.lf_hashes[1:]))
    with pytest.raises(ValueError, match=r"\['lf_0'\] have changed since the label model was fitted"):
        label(changed, model)
