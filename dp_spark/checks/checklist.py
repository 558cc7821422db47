"""Checks in order: each finds all problems of one thing, and is skipped if what it looks at has problems itself."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from dp_spark.checks.executors import ExecutorReport, executor_reports
from dp_spark.errors import DpSparkError, EnvironmentProblem
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.run import Run, load_lfs
from dp_spark.worker_errors import first_line, translated_errors

State = Literal["ok", "problem", "skipped"]


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        where: the setting, labeling function or place.
        error: what a run would raise about it.
    """

    where: str
    error: Exception

    @property
    def what(self) -> str:
        """What is wrong, and what to do."""
        return str(self.error)


@dataclass(frozen=True)
class Subject:
    """What is checked; each part is found when a check first asks for it.

    Attributes:
        run: the run that is to be.
        open_table: how its table is opened.
    """

    run: Run
    open_table: Callable[[Run], DataFrame]

    @cached_property
    def points(self) -> DataFrame:
        """The table."""
        return self.open_table(self.run)

    @cached_property
    def lfs(self) -> list[LabelingFunction]:
        """The labeling functions."""
        return load_lfs(self.run)

    @property
    def key(self) -> list[str]:
        """The key columns that are there, or the first column if none is."""
        there = [name for name in self.run.config.table.key if name in self.points.columns]
        return there or self.points.columns[:1]

    @cached_property
    def lf_problems(self) -> list[Problem]:
        """What keeps labeling functions from voting on this table, by their names; or "labeling" for all together."""
        together = refusals({"labeling": lambda: self._applied(self.lfs)})
        if not together:
            return []
        alone = refusals({lf.name: functools.partial(self._applied, [lf]) for lf in self.lfs})
        return alone or together

    @cached_property
    def executors(self) -> list[ExecutorReport]:
        """What the executors say of themselves."""
        return executor_reports(self.run.storage, self.run.directory)

    def _applied(self, lfs: list[LabelingFunction]) -> LabelMatrix:
        config = self.run.config
        return apply_lfs(
            self.points.drop(*self.run.hidden_columns),
            lfs,
            key=self.key,
            num_classes=config.labeling.classes.num_classes,
            class_names=config.labeling.class_names,
            max_lf_errors=config.labeling.max_lf_errors,
            lf_timeout_seconds=config.labeling.lf_timeout_seconds,
        )


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: what it looks at.
        find: finds the problems.
        needs: the names of the checks that must have found none, as it looks at the same things.
    """

    name: str
    find: Callable[[Subject], Iterable[Problem]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name.
        problems: which it found.
        skipped_for: the check whose problems kept it from looking; empty if it looked.
    """

    check: str
    problems: tuple[Problem, ...] = ()
    skipped_for: str = ""

    @property
    def state(self) -> State:
        """How it ended."""
        return "skipped" if self.skipped_for else "problem" if self.problems else "ok"


def run_checks(checks: Sequence[Check], subject: Subject) -> list[Finding]:
    """What every check finds, in order; one that needs another comes after it."""
    findings: dict[str, Finding] = {}
    for check in checks:
        unmet = [name for name in check.needs if name in findings and findings[name].state != "ok"]
        if unmet:
            findings[check.name] = Finding(check.name, skipped_for=unmet[0])
            continue
        findings[check.name] = Finding(check.name, tuple(_found(check, subject)))
    return list(findings.values())


def refusals(checks: Mapping[str, Callable[[], object]]) -> list[Problem]:
    """The problems of functions that raise if something is wrong, by where that is."""
    return [problem for where, check in checks.items() for problem in _refused(where, check)]


def raise_problems(findings: Sequence[Finding]) -> None:
    """Raise what was found, if anything was: one error that names all problems, of the first one's type."""
    problems = {p.what: p.error for finding in findings for p in finding.problems}
    if not problems:
        return
    first = next(iter(problems.values()))
    if len(problems) == 1:
        raise first
    texts = "".join(f"\n  {text}" for text in problems)
    raise type(first)(f"{len(problems)} problems, found before anything was computed:{texts}")


def _found(check: Check, subject: Subject) -> list[Problem]:
    found: list[Problem] = []
    return _refused(check.name, lambda: found.extend(check.find(subject))) or found


def _refused(where: str, check: Callable[[], object]) -> list[Problem]:
    try:
        with translated_errors():
            check()
    except (DpSparkError, ValueError, OSError) as problem:
        return [Problem(where, problem)]
    except (PySparkException, Py4JJavaError) as problem:
        return [Problem(where, EnvironmentProblem(f"Spark failed: {first_line(str(problem))}"))]
    return []
