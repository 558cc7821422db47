import logging

import pytest
from pyspark import SparkConf

from dp_spark.config import EndModelConfig
from dp_spark.end_model.preflight import warn_of_open_ports
from dp_spark.end_model.settings import TrainingSettings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "forest"}, "model is 'forest': expected 'linear', 'mlp', or"),
        ({"num_epochs": 0}, "num_epochs is 0: expected at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan: expected a positive number"),
        ({"optimizer": "lion"}, "optimizer is 'lion'"),
        ({"hidden_units": ()}, "at least one layer"),
        ({"num_workers": 17}, "num_workers is 17: expected at most num_row_ranges, which is 16"),
        ({"model": "a:b", "l2": 0.1}, "l2 is 0.1: expected 0: add regularizers"),
        ({"ngrams": 3}, "ngrams is 3"),
        ({"collective": "mpi"}, "collective is 'mpi': expected one of"),
        (
            {"collective": "tensorflow", "num_workers": 2},
            r"listens on every interface without authentication.*network-policy\.yaml",
        ),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_value(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**given)


def test_open_ports_are_allowed_by_the_users_word_and_do_not_exist_with_one_worker() -> None:
    isolated = TrainingSettings(collective="tensorflow", num_workers=2, network_is_isolated=True)
    assert isolated.has_open_ports
    assert not TrainingSettings(collective="tensorflow").has_open_ports
    assert not TrainingSettings(num_workers=2).has_open_ports
    configured = EndModelConfig(collective="tensorflow", num_workers=2, network_is_isolated=True)
    assert configured.settings() == isolated
    with pytest.raises(ValueError, match="network_is_isolated is False"):
        EndModelConfig(collective="tensorflow", num_workers=2)


def test_open_ports_beside_sparks_authentication_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    conf = SparkConf(loadDefaults=False).set("spark.authenticate", "true")
    warn_of_open_ports(conf.get, TrainingSettings(num_workers=2))
    assert not caplog.records
    isolated = TrainingSettings(collective="tensorflow", num_workers=2, network_is_isolated=True)
    with caplog.at_level(logging.WARNING):
        warn_of_open_ports(SparkConf(loadDefaults=False).get, isolated)
        assert not caplog.records
        warn_of_open_ports(conf.get, isolated)
    assert "although spark.authenticate is on: only the network policy protects it" in caplog.text


def test_a_global_batch_is_a_multiple_of_the_number_of_ranges() -> None:
    assert TrainingSettings(batch_size=512, num_row_ranges=16).rows_per_range == 32
    assert TrainingSettings(batch_size=3, num_row_ranges=16).rows_per_range == 1
