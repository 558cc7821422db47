import pytest

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
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_value(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**given)


def test_a_global_batch_is_a_multiple_of_the_number_of_ranges() -> None:
    assert TrainingSettings(batch_size=512, num_row_ranges=16).rows_per_range == 32
    assert TrainingSettings(batch_size=3, num_row_ranges=16).rows_per_range == 1
