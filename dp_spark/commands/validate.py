"""`dp-spark validate`: all that would stop a run, found at once and before any work."""

from collections.abc import Callable, Sequence

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from dp_spark.checks.checklist import Check, Finding, Problem, Subject, run_checks
from dp_spark.checks.executors import driver_versions, package_versions
from dp_spark.commands.outcome import Outcome
from dp_spark.commands.sample import source_points
from dp_spark.commands.validation import checks_of
from dp_spark.config import PipelineConfig, usable_config
from dp_spark.config_problems import ConfigProblem
from dp_spark.environment import java_problem
from dp_spark.errors import ConfigError, DpSparkError, EnvironmentProblem
from dp_spark.run import Run
from dp_spark.worker_errors import first_line

NUM_SAMPLE_ROWS = 100
_CONFIGURATION, _SESSION = "configuration", "Spark session"
_NOT_DEEP = " Keys and inputs of all rows were not looked at: --deep does."
_MARKS = {"ok": "ok      ", "problem": "PROBLEM ", "skipped": "skipped "}


def validate(
    text: str,
    source: str,
    open_run: Callable[[PipelineConfig], Run],
    *,
    settings: Sequence[str] = (),
    resume: bool = False,
    deep: bool = False,
    num_sample_rows: int = NUM_SAMPLE_ROWS,
) -> Outcome:
    """Every problem of a run that is to be; good if there is none. Writes nothing that stays.

    Args:
        text: of the configuration.
        source: where it came from.
        open_run: opens the session and makes the run.
        settings: "section.key=value" each, instead of what the text says.
        resume: whether the run would go on after complete stages.
        deep: look at the keys and inputs of all rows, too: three passes over those columns.
        num_sample_rows: on how many rows the labeling functions are tried; 0 does not try them.
    """
    config, findings = _configuration(text, source, settings)
    if config is None:
        problem = java_problem()
        java = Finding("Java", (Problem("java", EnvironmentProblem(problem)),) if problem else ())
        rest = _skipped(checks_of(None, resume, deep, num_sample_rows), _CONFIGURATION)
        return _outcome([*findings, java, *rest], {"driver": package_versions()})
    is_whole = not any(finding.problems for finding in findings)
    checks = checks_of(config, resume, deep, num_sample_rows, is_whole=is_whole)
    try:
        run = open_run(config)
    except (DpSparkError, ValueError, OSError, PySparkException, Py4JError) as failure:
        findings.append(Finding(_SESSION, (Problem("spark", _without_trace(failure)),)))
        return _outcome([*findings, *_skipped(checks, _SESSION)], {"driver": package_versions()})
    subject = Subject(run, source_points)
    findings += run_checks(checks, subject)
    return _outcome(findings, _versions(subject), "" if deep else _NOT_DEEP)


def _skipped(checks: list[Check], because_of: str) -> list[Finding]:
    return [Finding(check.name, skipped_for=because_of) for check in checks]


def _configuration(
    text: str, source: str, settings: Sequence[str]
) -> tuple[PipelineConfig | None, list[Finding]]:
    """What can be used of the configuration, and what was found of it."""
    try:
        config, found = usable_config(text, source, settings)
    except ConfigError as problem:
        return None, [Finding(_CONFIGURATION, (Problem(source, problem),))]
    return config, [Finding(_CONFIGURATION, tuple(map(_as_problem, found)))]


def _as_problem(found: ConfigProblem) -> Problem:
    return Problem(found.where, ConfigError(found.what))


def _without_trace(failure: Exception) -> Exception:
    if isinstance(failure, (DpSparkError, ValueError, OSError)):
        return failure
    return EnvironmentProblem(f"Spark did not start: {first_line(str(failure))}")


def _versions(subject: Subject) -> dict[str, object]:
    executors = subject.executors if "executors" in vars(subject) else []
    told = [{"host": e.host, "process": e.process, "versions": dict(e.versions)} for e in executors]
    return {"driver": driver_versions(subject.run.spark), "executors": told}


def _outcome(findings: list[Finding], versions: dict[str, object], note: str = "") -> Outcome:
    problems = [
        {"check": finding.check, "where": problem.where, "what": problem.what}
        for finding in findings
        for problem in finding.problems
    ]
    checked = [{"name": f.check, "state": f.state, "skipped_for": f.skipped_for} for f in findings]
    lines = [line for finding in findings for line in _lines(finding)]
    return Outcome(
        "\n".join([*lines, "", _versions_line(versions), _verdict(findings, len(problems)) + note]),
        {"problems": problems, "checked": checked, "versions": versions},
        not problems,
    )


def _lines(finding: Finding) -> list[str]:
    why = f" (because of {finding.skipped_for})" if finding.skipped_for else ""
    problems = [f"         {_told(problem, finding.check)}" for problem in finding.problems]
    return [f"{_MARKS[finding.state]} {finding.check}{why}", *problems]


def _told(problem: Problem, check: str) -> str:
    """The problem, beginning with where it is."""
    is_told = problem.where == check or problem.what.startswith(problem.where)
    text = problem.what if is_told else f"{problem.where}: {problem.what}"
    return text.replace("\n", "\n           ")


def _versions_line(versions: dict[str, object]) -> str:
    driver = versions["driver"]
    told = driver.items() if isinstance(driver, dict) else []
    return ", ".join(f"{name} {version or '-'}" for name, version in told)


def _verdict(findings: list[Finding], num_problems: int) -> str:
    num_skipped = sum(finding.state == "skipped" for finding in findings)
    skipped = f"; checks that could not be made yet: {num_skipped}" if num_skipped else ""
    if num_problems == 0:
        return f"No problems{skipped}."
    return f"{num_problems} problem{'s' * (num_problems != 1)}{skipped}."
