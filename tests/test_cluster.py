"""The tutorial through spark-submit on a real standalone cluster."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from standalone import standalone_cluster, submit

JOB_SECONDS = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def master_url(place: Path) -> Iterator[str]:
    with standalone_cluster(place) as url:
        yield url


@pytest.mark.slow
def test_the_tutorial_runs_on_a_standalone_cluster_with_two_training_workers(master_url, place, tmp_path):
    output = tmp_path / "tutorial"
    job = run_tutorial(master_url, output, num_data_points=4000, num_workers=2)
    assert job.returncode == 0, job.stdout[-3000:]
    assert all(list((place / worker).glob("app-*/*/stderr")) for worker in ("worker1", "worker2"))
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["spark"]["master"] == master_url
    assert metrics["num_data_points"] == 4000
    assert metrics["label_accuracy"] > metrics["majority_vote_accuracy"]
    assert metrics["end_model_accuracy"] > 0.75
    assert metrics["training"]["num_workers"] == 2
    assert "mean error" in job.stdout


@pytest.mark.slow
def test_more_training_workers_than_slots_is_an_error_before_anything_is_computed(master_url, tmp_path):
    output = tmp_path / "tutorial"
    job = run_tutorial(master_url, output, num_data_points=500, num_workers=3)
    assert job.returncode == 2
    assert "num_workers is 3, but the cluster runs only 2 tasks" in job.stdout
    assert "Traceback" not in job.stdout
    assert not output.exists()


def run_tutorial(
    master_url: str, output: Path, num_data_points: int, num_workers: int
) -> subprocess.CompletedProcess[str]:
    options = ("--output", output, "--n", num_data_points, "--workers", num_workers)
    return submit(master_url, "jobs/tutorial.py", *map(str, options), seconds=JOB_SECONDS)
