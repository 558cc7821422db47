"""`dp-spark validate`, which has to read a configuration that is wrong."""

from dp_spark.cli.opening import app_name_of, read_text, run_of, settings_of
from dp_spark.cli.options import Source
from dp_spark.commands.outcome import Outcome
from dp_spark.commands.validate import validate as validate_run


def validate(source: Source, *, overwrite: bool, resume: bool, deep: bool, num_sample_rows: int) -> Outcome:
    """All problems of a run that is to be; arguments as of `dp_spark.commands.validate.validate`."""
    text = read_text(source, app_name_of(source, "validate"))
    return validate_run(
        text,
        source.config,
        lambda config: run_of(config, source, "validate", overwrite=overwrite, ships=True),
        settings=settings_of(source),
        resume=resume,
        deep=deep,
        num_sample_rows=num_sample_rows,
    )
