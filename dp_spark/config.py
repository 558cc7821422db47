"""The configuration of a pipeline: TOML, read into frozen models that refuse what they do not know.

Data points to data, code stays in Python modules that the configuration names. conf/spam.toml is a
complete example, with a sentence on every setting.
"""

import tomllib
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from dp_spark.config_problems import ConfigProblem, config_problems, new_problems, without_problems
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import ConfigError
from dp_spark.label_model.names import ModelName
from dp_spark.labeling.labeling_function import refuse_bad_budget
from dp_spark.labeling.votes import Classes
from dp_spark.labeling.watch import LF_TIMEOUT_SECONDS
from dp_spark.overrides import overridden
from dp_spark.report.resampling import NUM_REPLICATES
from dp_spark.table_config import Strict, TableConfig


class LabelingConfig(Strict):
    """[labeling]: which labeling functions, and what they may do.

    Attributes:
        module: a Python module.
        lfs: the list of labeling functions in it, or a function that makes it from a Spark session.
        num_classes: of the task; as many as `class_names` if these are given.
        class_names: what labeling functions may call the classes; for two classes the negative one first.
        max_lf_errors: as of `apply_lfs`.
        lf_timeout_seconds: as of `apply_lfs`.
    """

    module: str
    lfs: str = "LFS"
    num_classes: int = Field(default=2, ge=2, le=127)
    class_names: list[str] = []
    max_lf_errors: int | float = 0
    lf_timeout_seconds: float = Field(default=LF_TIMEOUT_SECONDS, gt=0)

    @model_validator(mode="after")
    def _is_valid(self) -> "LabelingConfig":
        refuse_bad_budget(self.max_lf_errors, "max_lf_errors")
        if self.class_names and "num_classes" in self.model_fields_set:
            Classes(self.num_classes, tuple(self.class_names))
        _ = self.classes
        return self

    @property
    def classes(self) -> Classes:
        """The classes of the task."""
        return Classes.of(len(self.class_names) or self.num_classes, self.class_names)


class LabelModelConfig(Strict):
    """[label_model]: which one, and what is known beyond the votes, as `fit_label_model` takes it.

    Attributes:
        model, class_balance, prior_accuracies, dependencies: as of `fit_label_model`.
        gold: a column of the table with a few gold labels (-1, +1, or 1 to k; 0 or null where the truth is not
            known) that the fit may use. Labeling functions do not see it.
        tensorboard: a directory, anywhere Spark writes, that gets an event file with the loss of the fit by step;
            empty: none.
    """

    model: ModelName = "auto"
    class_balance: float | list[float] | None = None
    prior_accuracies: dict[str, float] = {}
    dependencies: list[list[str]] = []
    gold: str | None = None
    tensorboard: str = ""


class TrainingSetConfig(Strict):
    """[training_set]: what the end model sees, and of which rows; as of `write_shards`.

    Attributes:
        features: array columns and number columns.
        text: a string column.
        categories: string, boolean and integer columns. At least one of the three is given.
        num_shards: how many files; by default what the number of workers and the bytes of the rows ask for.
        seed: of the order of rows.
        drop_uncovered: leave out rows without a vote.
        min_confidence: leave out rows whose largest class probability is below this.
        weight: a column of the table that weighs the rows.
        standardize: whether the built-in models bring features to mean 0 and variance 1.
    """

    features: list[str] | None = None
    text: str | None = None
    categories: list[str] | None = None
    num_shards: int | None = Field(default=None, ge=1)
    seed: int = 0
    drop_uncovered: bool = True
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    weight: str | None = None
    standardize: bool = False

    @model_validator(mode="after")
    def _has_an_input(self) -> "TrainingSetConfig":
        if not (self.features or self.text or self.categories):
            raise ValueError("give features = [columns], text = column or categories = [columns]")
        return self


class EndModelConfig(Strict):
    """[end_model]: as `TrainingSettings`, which says what each is."""

    model: str = TrainingSettings.model
    hidden_units: list[int] = list(TrainingSettings.hidden_units)
    num_epochs: int = TrainingSettings.num_epochs
    batch_size: int = TrainingSettings.batch_size
    learning_rate: float = TrainingSettings.learning_rate
    schedule: Literal["cosine", "linear", "constant"] = TrainingSettings.schedule
    warmup_share: float = TrainingSettings.warmup_share
    optimizer: Literal["adam", "sgd"] = TrainingSettings.optimizer
    l2: float = TrainingSettings.l2
    class_weights: list[float] | Literal["balanced"] = []
    validation_share: float = TrainingSettings.validation_share
    early_stopping_patience: int = TrainingSettings.early_stopping_patience
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = TrainingSettings.precision
    callbacks: str = TrainingSettings.callbacks
    seed: int = TrainingSettings.seed
    num_workers: int = TrainingSettings.num_workers
    max_attempts: int = TrainingSettings.max_attempts
    max_tokens: int = TrainingSettings.max_tokens
    min_token_texts: int = TrainingSettings.min_token_texts
    ngrams: int = TrainingSettings.ngrams
    max_categories: int = TrainingSettings.max_categories
    timeout_seconds: float = TrainingSettings.timeout_seconds
    cache_bytes: int = TrainingSettings.cache_bytes
    scratch_bytes: int = TrainingSettings.scratch_bytes
    checkpoint_steps: int = TrainingSettings.checkpoint_steps
    tensorboard: str = TrainingSettings.tensorboard
    collective: Literal["authenticated", "tensorflow"] = TrainingSettings.collective
    network_is_isolated: bool = TrainingSettings.network_is_isolated

    @model_validator(mode="after")
    def _is_valid(self) -> "EndModelConfig":
        self.settings()
        return self

    def settings(self) -> TrainingSettings:
        """The settings of `train_end_model`."""
        values = {name: getattr(self, name) for name in EndModelConfig.model_fields}
        return TrainingSettings(**{**values, "hidden_units": tuple(self.hidden_units)})


class EvaluationConfig(Strict):
    """[evaluation]: what the end model is compared with, and how intervals are computed.

    Attributes:
        gold_end_model: where training rows have gold labels, train the same end model on them, as a yardstick. It
            costs one more training of as many rows as have gold: where labeling functions are needed, these are few.
        num_replicates: of the bootstrap; 0 gives no intervals.
        seed: of the replicates.
    """

    gold_end_model: bool = True
    num_replicates: int = Field(default=NUM_REPLICATES, ge=0, le=10_000)
    seed: int = Field(default=0, ge=0)


class TrackingConfig(Strict):
    """[tracking]: where a complete run is logged, beside its own directory.

    Attributes:
        mlflow: log it to MLflow, with the package of the extra `mlflow`.
        uri: of the tracking server or store; by default what MLflow's own variables say (MLFLOW_TRACKING_URI).
        experiment: its name; by default what MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID says, else MLflow's own.
        run_name: of the MLflow run; by default MLflow makes one up.
    """

    mlflow: bool = False
    uri: str | None = None
    experiment: str | None = None
    run_name: str | None = None


class PipelineConfig(Strict):
    """A whole configuration file.

    Attributes:
        output: the directory that gets every intermediate table, the models and metrics.json.
    """

    output: str
    table: TableConfig
    labeling: LabelingConfig
    label_model: LabelModelConfig = LabelModelConfig()
    training_set: TrainingSetConfig
    end_model: EndModelConfig = EndModelConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    tracking: TrackingConfig = TrackingConfig()


def parse_config(text: str, source: str, settings: Sequence[str] = ()) -> PipelineConfig:
    """The configuration in a TOML text.

    Args:
        text: TOML.
        source: where it came from, for errors.
        settings: "section.key=value" each, instead of what the text says.

    Raises:
        ConfigError: naming every problem at once: bad TOML with its line, unknown keys with the known
            ones, missing keys, wrong types and values.
    """
    content = _parsed(text, source, settings)
    try:
        return PipelineConfig.model_validate(content)
    except ValidationError as problem:
        found = [str(each) for each in config_problems(problem, PipelineConfig)]
        raise ConfigError(f"{source} has {len(found)} problem(s):\n  " + "\n  ".join(found)) from problem


def usable_config(
    text: str, source: str, settings: Sequence[str] = ()
) -> tuple[PipelineConfig | None, list[ConfigProblem]]:
    """What can be used of a configuration, and every problem of the rest; None if nothing can.

    Settings with problems are as if they were not given, so that the others can be checked at the same time.

    Args:
        text: as of `parse_config`.
        source: as of `parse_config`.
        settings: as of `parse_config`.

    Raises:
        ConfigError: if the text is not TOML, or `settings` has another form.
    """
    content: dict[str, object] | None = _parsed(text, source, settings)
    found: list[ConfigProblem] = []
    while content is not None:
        try:
            return PipelineConfig.model_validate(content), found
        except ValidationError as problem:
            new = new_problems(problem, PipelineConfig, found)
            found += new
            content = without_problems(content, problem) if new else None
    return None, found


def _parsed(text: str, source: str, settings: Sequence[str]) -> dict[str, object]:
    try:
        return overridden(tomllib.loads(text), settings)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{source} is not valid TOML: {problem}.") from problem
