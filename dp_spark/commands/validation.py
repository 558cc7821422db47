"""The checks of `dp-spark validate`: those that a run makes before any work, and all that can be seen besides."""

from collections.abc import Callable, Iterator

from dp_spark.checks.before_work import BEFORE_WORK, COLUMNS, FUNCTIONS, LFS, TABLE
from dp_spark.checks.checklist import Check, Problem, Subject, refusals
from dp_spark.checks.columns import inputs_of
from dp_spark.checks.executors import executor_problems, package_versions, refuse_other_spark
from dp_spark.checks.output import refuse_occupied_output, refuse_output_at_table, refuse_unwritable
from dp_spark.checks.user_model import refuse_unusable_model
from dp_spark.checks.values import refuse_bad_inputs
from dp_spark.commands.sample import is_written, sample_of
from dp_spark.commands.try_lfs import keys_of, try_sample, with_keys
from dp_spark.config import PipelineConfig
from dp_spark.errors import EnvironmentProblem, LabelingFunctionError
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.lf_runs import LFRun
from dp_spark.pipeline import refuse_other_run
from dp_spark.report.trial import Trial
from dp_spark.tables import refuse_duplicate_keys

EXECUTORS = "versions and storage on the executors"
LFS_ON_TABLE = "labeling functions on the table"


def checks_of(
    config: PipelineConfig | None, resume: bool, deep: bool, num_sample_rows: int, *, is_whole: bool = True
) -> list[Check]:
    """What `validate` checks, in order.

    Args:
        config: whose run it is; None if it cannot be read.
        resume: whether the run would go on after complete stages: then its output may hold them.
        deep: whether to look at all rows' keys and inputs, too.
        num_sample_rows: on how many rows the labeling functions are tried; 0 does not try them.
        is_whole: whether nothing was left out of the configuration: else it is not compared with an earlier run's.
    """
    first, *before_work = BEFORE_WORK
    name, try_them = f"labeling functions on {num_sample_rows} rows", _trial_check(num_sample_rows)
    trial = [Check(name, try_them, (LFS, TABLE))] if num_sample_rows else []
    own_model = [Check("the model of your own", _model, (FUNCTIONS, COLUMNS))]
    all_rows = [
        Check("keys of all rows", _keys, (COLUMNS,)),
        Check("inputs of all rows", _inputs, (COLUMNS,)),
    ]
    return [
        first,
        Check("Spark and Java", _spark),
        Check("output", _output_check(resume)),
        *before_work,
        *([Check("the run to resume", _resumed, (LFS,))] if resume and is_whole else []),
        Check(LFS_ON_TABLE, lambda subject: subject.lf_problems, (LFS, TABLE)),
        *trial,
        *(all_rows if deep else []),
        *(own_model if config and config.end_model.settings().is_users_model else []),
        Check(EXECUTORS, _executors),
    ]


def _spark(subject: Subject) -> list[Problem]:
    return refusals({"spark": lambda: refuse_other_spark(subject.run.spark)})


def _output_check(resume: bool) -> Callable[[Subject], list[Problem]]:
    def check(subject: Subject) -> list[Problem]:
        run, table = subject.run, subject.run.config.table.path
        problems = refusals({"output": lambda: refuse_output_at_table(run.storage, table, run.directory)})
        if not resume:
            problems += refusals(
                {"output": lambda: refuse_occupied_output(run.storage, run.directory, run.overwrite)}
            )
        return problems + refusals({"output": lambda: refuse_unwritable(run.storage, run.directory)})

    return check


def _resumed(subject: Subject) -> list[Problem]:
    return refusals({"output": lambda: refuse_other_run(subject.run)})


def _trial_check(num_rows: int) -> Callable[[Subject], Iterator[Problem]]:
    def check(subject: Subject) -> Iterator[Problem]:
        named = {problem.where for problem in subject.lf_problems}
        lfs = [lf for lf in subject.lfs if lf.name not in named]
        if "labeling" in named or not lfs:
            return
        shown = subject.points.drop(*(name for name in subject.run.hidden_columns if name not in subject.key))
        sample = sample_of(shown, subject.key, num_rows, is_in_files=is_written(subject.run))
        trial = try_sample(subject.run, sample, lfs, check_determinism=False)
        runs, keys = {run.name: run for run in trial.runs}, keys_of(sample, subject.key)
        default = subject.run.config.labeling.max_lf_errors
        for lf in lfs:
            budget = default if lf.max_errors is None else lf.max_errors
            if lf.name in trial.failed or _is_overspent(runs[lf.name], budget):
                said = "\n".join(with_keys(trial.problems[lf.name], keys))
                yield Problem(lf.name, LabelingFunctionError(said))
        yield from _preprocessor_problems(trial, lfs)

    return check


def _is_overspent(run: LFRun, budget: int | float) -> bool:
    """Whether a labeling function failed on more rows of a sample than it may in the table."""
    if run.num_errors == 0:
        return False
    is_illegal = any(sample.error == "IllegalVoteError" for sample in run.samples)
    allowed = budget * run.num_data_points if isinstance(budget, float) else budget
    return is_illegal or run.num_errors > allowed or run.num_errors == run.num_data_points


def _preprocessor_problems(trial: Trial, lfs: list[LabelingFunction]) -> Iterator[Problem]:
    """Problems that are named after no labeling function."""
    names = {lf.name for lf in lfs}
    for name, texts in trial.problems.items():
        if name not in names:
            yield Problem(name, LabelingFunctionError("\n".join(texts)))


def _keys(subject: Subject) -> list[Problem]:
    key = subject.run.config.table.key
    return refusals({"table.key": lambda: refuse_duplicate_keys(subject.points, key)})


def _inputs(subject: Subject) -> list[Problem]:
    return refusals(
        {"training_set": lambda: refuse_bad_inputs(subject.points, inputs_of(subject.run.config))}
    )


def _model(subject: Subject) -> list[Problem]:
    return refusals({"end_model.model": lambda: refuse_unusable_model(subject.points, subject.run.config)})


def _executors(subject: Subject) -> list[Problem]:
    texts = executor_problems(subject.executors, package_versions())
    return [Problem("cluster", EnvironmentProblem(text)) for text in texts]
