"""`dp-spark plan`: what a run would do, with which stages, rows and sizes; nothing runs and nothing is written."""

from collections import Counter
from dataclasses import asdict, dataclass, replace

from dp_spark.checks.checklist import refusals
from dp_spark.checks.output import refuse_occupied_output, refuse_output_at_table
from dp_spark.commands.disk import estimated_bytes
from dp_spark.commands.outcome import Outcome
from dp_spark.commands.table_size import TableSize, table_size
from dp_spark.labeling.jvm_votes import runs_in_spark
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.publishing import unfinished_path, workspace_of
from dp_spark.reporting import is_report_current
from dp_spark.run import Run, load_lfs
from dp_spark.stage_names import GOLD_END_MODEL, METRICS, ONLY_READER, REPORT_PAGE, RESULTS, RUN_FILE

_READS = {
    "apply-lfs": ("table",),
    "count-votes": ("label_matrix",),
    "fit-label-model": ("vote_counts.npz",),
    "label": ("label_matrix", "label_model.json"),
    "write-shards": ("table", "labels"),
    "train-end-model": ("training_set",),
    "predict": ("table", "end_model"),
    "train-gold-model": ("table", "end_model"),
    "evaluate": ("vote_counts.npz", "label_matrix", "label_model.json"),
    "report": (
        "table",
        "label_matrix",
        "vote_counts.npz",
        "label_model.json",
        "labels",
        "end_model",
        "metrics.json",
    ),
}
_JUDGED = ("table", "labels", "predictions")  # that evaluate reads, too, where there is gold
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a run that is to be.

    Attributes:
        name: of the stage.
        would: "run", or why not.
        reads: the table, and results of earlier stages.
        writes: its result.
        num_bytes: of its result, an estimate; None if nothing is known.
    """

    name: str
    would: str
    reads: tuple[str, ...]
    writes: str
    num_bytes: int | None


def plan(run: Run, resume: bool = False) -> Outcome:
    """What a run would do; good unless it would be refused because of its output.

    Files are listed, and footers of Parquet files are read. The module of the labeling functions is imported.

    Args:
        run: the run; with `overwrite`, older results would be replaced.
        resume: whether it would go on after the complete stages of an earlier one.

    Raises:
        ConfigError: if the labeling functions cannot be loaded.
        SchemaError: if the table is of another format.
    """
    lfs, size = load_lfs(run), table_size(run)
    stages = _stages(run, resume, estimated_bytes(run, len(lfs), size))
    refused = [] if resume else _refused(run)
    replaced = [name for name in RESULTS.values() if run.overwrite and _is_there(run, name)]
    parts = [
        _table_line(run, size),
        _lfs_line(lfs),
        _training_line(run),
        "",
        *_stage_lines(stages),
        "",
        _disk_line(stages, bool(replaced)),
        *([f"replaces  {', '.join(replaced)}, once all of the new results are there"] if replaced else []),
        *(f"refused   {text}" for text in refused),
    ]
    content = {
        "output": run.directory,
        "table": {"path": run.config.table.path, **(asdict(size) if size else {"num_files": 0})},
        "labeling_functions": [{"name": lf.name, "kind": lf.kind, "runs": _where(lf)} for lf in lfs],
        "stages": [asdict(stage) for stage in stages],
        "num_bytes_to_write": sum(s.num_bytes or 0 for s in stages if s.would == "run"),
        "replaces": replaced,
        "refused": refused,
    }
    return Outcome("\n".join(parts), content, not refused)


def _refused(run: Run) -> list[str]:
    table, storage = run.config.table.path, run.storage
    found = refusals(
        {
            "table": lambda: refuse_output_at_table(storage, table, run.directory),
            "output": lambda: refuse_occupied_output(storage, run.directory, run.overwrite),
        }
    )
    return [problem.what for problem in found]


def _stages(run: Run, resume: bool, estimate: dict[str, int | None]) -> list[PlannedStage]:
    is_unfinished = resume and run.storage.exists(workspace_of(run.directory))
    place = unfinished_path(run.directory) if is_unfinished else run.directory
    there = {name for name in RESULTS.values() if resume and run.storage.exists(f"{place}/{name}")}
    if REPORT_PAGE in there and not (METRICS in there and is_report_current(replace(run, directory=place))):
        there.remove(REPORT_PAGE)
    return [
        PlannedStage(name, _would(run, name, there), _read(run, name), result, estimate.get(result))
        for name, result in RESULTS.items()
    ]


def _would(run: Run, name: str, there: set[str]) -> str:
    reader = RESULTS[ONLY_READER[name]] if name in ONLY_READER else None
    if RESULTS[name] in there:
        return "be skipped: complete"
    if reader in there:
        return f"be skipped: {reader} is complete"
    if RESULTS[name] == GOLD_END_MODEL and not run.config.evaluation.gold_end_model:
        return "be skipped: [evaluation] gold_end_model is false"
    if RESULTS[name] == GOLD_END_MODEL and not run.config.table.gold:
        return "be skipped: [table] names no gold column"
    return "run"


def _read(run: Run, name: str) -> tuple[str, ...]:
    table = run.config.table
    if (name == "count-votes" and table.cluster) or (
        name == "fit-label-model" and run.config.label_model.gold
    ):
        return (*_READS[name], "table")
    return (*_READS[name], *(_JUDGED if name == "evaluate" and table.gold else ()))


def _is_there(run: Run, name: str) -> bool:
    return name != RUN_FILE and run.storage.exists(run.path(name))


def _where(lf: LabelingFunction) -> str:
    return "inside Spark" if runs_in_spark(lf) else "in Python workers"


def _table_line(run: Run, size: TableSize | None) -> str:
    table = run.config.table
    if size is None:
        made = f"{table.generator} would write it" if table.generator else "a run would stop here"
        return f"table     {table.path} is not there: {made}"
    rows = "rows not known without a pass"
    if size.num_rows is not None:
        rows = f"{'' if size.is_exact else 'about '}{size.num_rows:,} rows"
    files = f"{size.num_files:,} file{'s' * (size.num_files != 1)}"
    parts = f"{size.num_partitions:,} partition{'s' * (size.num_partitions != 1)}"
    return f"table     {table.path}: {table.source_format}, {rows}, {files}, {shown_bytes(size.num_bytes)}, {parts}"


def _lfs_line(lfs: list[LabelingFunction]) -> str:
    kinds = Counter((_where(lf), lf.kind) for lf in lfs)
    told = [f"{count} {kind} {where}" for (where, kind), count in sorted(kinds.items())]
    return f"votes     {len(lfs)} labeling functions: {', '.join(told)}"


def _training_line(run: Run) -> str:
    settings, split = run.config.end_model, run.config.table.split
    part = f"rows with {split} = 'train'" if split else f"{1 - run.config.table.test_share:.0%} of the rows"
    workers = f"{settings.num_workers} worker{'s' * (settings.num_workers != 1)}"
    return f"training  {settings.model}, {workers}, {settings.num_epochs} epochs, on {part}"


def _stage_lines(stages: list[PlannedStage]) -> list[str]:
    widths = [max(len(text) for text in column) for column in zip(*map(_cells, stages), strict=True)]
    return ["  ".join(map(str.ljust, _cells(stage), widths)).rstrip() for stage in stages]


def _cells(stage: PlannedStage) -> tuple[str, ...]:
    size = "" if stage.num_bytes is None else f"about {shown_bytes(stage.num_bytes)}"
    if stage.would != "run":
        return stage.name, f"would {stage.would}", "", ""
    return stage.name, f"reads {', '.join(stage.reads)}", f"writes {stage.writes}", size


def _disk_line(stages: list[PlannedStage], replaces: bool) -> str:
    known = sum(stage.num_bytes or 0 for stage in stages if stage.would == "run")
    if not known:
        return "disk      not known before the table is there"
    beside = ", beside the older results until then" if replaces else ""
    return f"disk      about {shown_bytes(known)} would be written: an estimate without compression{beside}"


def shown_bytes(number: float) -> str:
    """A number of bytes for people.

    >>> shown_bytes(1234567)
    '1.2 MB'
    """
    power = 0
    while number >= 1000 and power < len(_UNITS) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.0f} {_UNITS[power]}" if power == 0 else f"{number:.1f} {_UNITS[power]}"
