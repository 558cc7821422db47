"""The rules of the design, held with `ast`: what may import what, and who may talk to the outside."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "dp_spark"
JOBS = sorted((REPOSITORY / "jobs").glob("*.py"))
MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

STAGES = ("labeling", "counting", "label_model", "labels", "end_model", "report")
FOUNDATIONS = {
    "bad_lines",
    "environment",
    "errors",
    "hashing",
    "held_back",
    "interruption",
    "json_values",
    "logs",
    "progress",
    "html",
    "plots",
    "publishing",
    "references",
    "scalars",
    "session",
    "stage_names",
    "storage",
    "tables",
    "texts",
    "worker_errors",
    "worker_reuse",
}

COMMAND_LINE = {module for module in MODULES if module.startswith("dp_spark.cli.")}
SESSION_MAKERS = {"dp_spark.session", "dp_spark.logs", *COMMAND_LINE}

# Where rows reach the driver: how often, and why they are few whatever the size of the table.
BOUNDED = {
    "dp_spark.checks.columns": (1, "_MAX_SPLITS_SHOWN values of the split column, by limit"),
    "dp_spark.checks.executors": (1, "MAX_TASKS rows, one for each task"),
    "dp_spark.checks.values": (1, "one row of counts"),
    "dp_spark.commands.sample": (1, "num_rows rows, at most MAX_TRIAL_ROWS, by limit"),
    "dp_spark.commands.diff": (1, "MAX_KEYS rows, by limit"),
    "dp_spark.commands.errors": (1, "MAX_BUCKETS * MAX_KEYS rows, by rank"),
    "dp_spark.counting.gold": (1, "num_classes + 2 + NUM_EXAMPLES distinct gold labels, by limit"),
    "dp_spark.counting.merging": (1, "one row: the counts of the whole table"),
    "dp_spark.end_model.class_weights": (1, "one row: a mean for each class"),
    "dp_spark.end_model.launch": (1, "one row for each training worker"),
    "dp_spark.end_model.vocabulary": (2, "max_tokens tokens; max_categories values of each column"),
    "dp_spark.iteration.column_values": (1, "one row: a struct for each column"),
    "dp_spark.iteration.error_buckets": (1, "num_buckets buckets, by limit"),
    "dp_spark.iteration.keys": (3, "one row, by limit(1), or of constants; NUM_EXAMPLES keys, by limit"),
    "dp_spark.iteration.suggestions": (2, "one row of sums; max_per_column values of each column, by rank"),
    "dp_spark.labeling.crowd_lfs": (1, "MAX_WORKERS + 1 workers, by limit"),
    "dp_spark.labeling.jvm_votes": (1, "one row, to see whether an expression fails"),
    "dp_spark.labeling.lf_runs": (2, "(m + preprocessors) * (4 + k) sums; NUM_SAMPLES errors per LF"),
    "dp_spark.labeling.lookup_lfs": (1, "NUM_EXAMPLES values to show in an error, by limit"),
    "dp_spark.labels.inputs": (1, "one row, by limit(1)"),
    "dp_spark.labels.labelled_rows": (1, "one row of sums"),
    "dp_spark.labels.shard_description": (1, "one row for each shard"),
    "dp_spark.report.label_histogram": (1, "NUM_BUCKETS * (k + 1) * 2 sums"),
    "dp_spark.report.parts": (2, "MAX_VALUES + 1 values of partition columns, or files, by limit"),
    "dp_spark.report.scored_rows": (1, "one row, by limit(1)"),
    "dp_spark.report.shown_rows": (1, "MAX_SHOWN_ROWS rows, by limit"),
    "dp_spark.report.trial": (2, "MAX_TRIAL_ROWS + 1 rows, by limit, and their votes"),
    "dp_spark.tables": (3, "NUM_EXAMPLES keys to show in an error, by limit; one row of sums"),
}
COLLECTING = {"collect", "toPandas", "toLocalIterator", "toArrow"}
ACTIONS = {*COLLECTING, "isEmpty"}  # that begin a job of Spark; count() is told apart by its receiver
WITH_NAMED_JOBS = {"_refuse_null_keys", "_refuse_repeated_keys"}  # what calls them names Spark's jobs


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imported(nodes: Iterator[ast.AST] | list[ast.stmt]) -> set[str]:
    """The modules that import statements name; `from package import module` names the module."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (inner & set(MODULES)) or {node.module}
    return names


def module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements that run on import: not in a function, not under TYPE_CHECKING."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        is_checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or is_checking:
            continue
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def in_functions(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from ast.walk(node)


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Some cycle of a directed graph, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        found = next(filter(None, (visit(n, [*path, name]) for n in sorted(graph.get(name, ())))), [])
        done.add(name)
        return found

    return next(filter(None, (visit(name, []) for name in sorted(graph))), [])


def outward_acts(tree: ast.Module) -> set[str]:
    """What of creating a session, parsing arguments, configuring logging and printing a module does."""
    acts = {name for name in imported(ast.walk(tree)) if name in {"argparse", "optparse", "getopt", "click"}}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="SparkSession"), attr="builder"):
                acts.add("SparkSession.builder")
            case ast.Attribute(attr="basicConfig" | "addHandler" as name):
                acts.add(name)
            case ast.Attribute(value=ast.Name(id="sys"), attr="argv"):
                acts.add("sys.argv")
            case ast.Call(func=ast.Name(id="print" | "SparkContext" as name)):
                acts.add(name)
    return acts


def collecting(tree: ast.Module) -> int:
    return sum(isinstance(node, ast.Attribute) and node.attr in COLLECTING for node in ast.walk(tree))


def is_action(node: ast.AST) -> bool:
    """Whether an expression begins a job of Spark; `groupBy(...).count()` is a table, texts count something."""
    match node:
        case ast.Attribute(attr=name) if name in ACTIONS:
            return True
        case ast.Call(func=ast.Attribute(value=counted, attr="count"), args=[], keywords=[]):
            return "groupBy" not in ast.dump(counted)
    return False


def unnamed_jobs(tree: ast.AST, function: str = "") -> set[str]:
    """The functions that begin a job outside of a block `with named_jobs(...)`."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.With) and any("named_jobs" in ast.dump(item) for item in node.items):
            continue
        if is_action(node):
            found.add(function)
        found |= unnamed_jobs(node, node.name if isinstance(node, ast.FunctionDef) else function)
    return found


def test_imports_have_no_cycles():
    graph = {module: imported(module_level(parsed(module))) & set(MODULES) for module in MODULES}
    assert graph["dp_spark.tables"] >= {"dp_spark.storage", "dp_spark.worker_errors"}
    assert cycle(graph) == []


def test_a_cycle_would_be_found():
    assert cycle({"a": {"b", "d"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_function_imports_a_module_of_the_package():
    inner = {module: imported(in_functions(parsed(module))) for module in MODULES}
    assert {m: names for m, names in inner.items() if any(n.startswith("dp_spark") for n in names)} == {}


def test_an_import_in_a_function_would_be_found():
    tree = ast.parse("def f():\n    if True:\n        from dp_spark.errors import ConfigError")
    assert imported(in_functions(tree)) == {"dp_spark.errors"}


def test_no_module_imports_both_spark_and_tensorflow():
    libraries = {m: {n.partition(".")[0] for n in imported(ast.walk(parsed(m)))} for m in MODULES}
    with_spark = {module for module, names in libraries.items() if names & {"pyspark", "py4j"}}
    with_tensorflow = {module for module, names in libraries.items() if names & {"tensorflow", "keras"}}
    assert "dp_spark.labeling.apply" in with_spark
    assert "dp_spark.label_model.completion" in with_tensorflow
    assert with_spark & with_tensorflow == set()


def test_only_jobs_cli_and_session_create_sessions_parse_arguments_configure_logging_or_print():
    acts = {module: outward_acts(parsed(module)) for module in MODULES}
    assert acts["dp_spark.cli.verbs"] >= {"click", "sys.argv"}
    assert acts["dp_spark.cli.speak"] >= {"print"}
    assert acts["dp_spark.session"] >= {"SparkSession.builder", "sys.argv"}
    assert acts["dp_spark.logs"] >= {"addHandler"}
    assert {module: found for module, found in acts.items() if found and module not in SESSION_MAKERS} == {}


def test_outward_acts_would_be_found():
    text = "import argparse\nprint(sys.argv)\nlogging.basicConfig()\nSparkSession.builder.getOrCreate()"
    assert outward_acts(ast.parse(text)) == {
        "argparse", "print", "sys.argv", "basicConfig", "SparkSession.builder",
    }  # fmt: skip


def test_rows_reach_the_driver_only_where_they_are_bounded():
    found = {module: collecting(parsed(module)) for module in MODULES}
    assert {m: n for m, n in found.items() if n} == {m: n for m, (n, _) in BOUNDED.items()}


def test_spark_jobs_say_what_they_do():
    found = set().union(*(unnamed_jobs(parsed(module)) for module in MODULES))
    assert found == WITH_NAMED_JOBS


def test_a_job_without_a_name_would_be_found():
    text = "def f():\n    with named_jobs(s, 'x'):\n        a.collect()\n    return [b for b in c.collect()]"
    assert unnamed_jobs(ast.parse(text)) == {"f"}
    assert unnamed_jobs(ast.parse(text.replace("c.collect()", "c"))) == set()
    assert unnamed_jobs(ast.parse(text.replace("c.collect()", "[c.isEmpty()]"))) == {"f"}
    assert unnamed_jobs(ast.parse(text.replace("c.collect()", "[c.count()]"))) == {"f"}
    tables = "[c.groupBy('x').count(), 'text'.count('t'), F.count('x')]"
    assert unnamed_jobs(ast.parse(text.replace("c.collect()", tables))) == set()


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.name)
def test_a_job_is_short_and_holds_no_logic(job):
    assert len(job.read_text().splitlines()) <= 40
    docstring, *imports, main = ast.parse(job.read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in imports)
    assert isinstance(main, ast.If)
    assert ast.unparse(main.test) == "__name__ == '__main__'"
    assert [type(node) for node in main.body] == [ast.Expr], "one call"
    assert not main.orelse


def parts_used(module: str) -> set[str]:
    """The stages and top-level modules of the package that a module imports."""
    used = imported(ast.walk(parsed(module))) & (set(MODULES) - {"dp_spark"})
    return {name.split(".")[1] for name in used}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_earlier_stages_and_foundations(stage):
    allowed = {*STAGES[: STAGES.index(stage) + 1], *FOUNDATIONS}
    modules = [module for module in MODULES if module.split(".")[1:2] == [stage]]
    assert len(modules) > 1
    wrong = {module: parts_used(module) - allowed for module in modules}
    assert {module: parts for module, parts in wrong.items() if parts} == {}


def test_a_foundation_imports_only_foundations():
    wrong = {name: parts_used(f"dp_spark.{name}") - FOUNDATIONS for name in FOUNDATIONS}
    assert {name: parts for name, parts in wrong.items() if parts} == {}


def loaded_by(statement: str) -> set[str]:
    """Which of the slow libraries a fresh Python has loaded after a statement."""
    slow = {"pyspark", "tensorflow", "keras", "matplotlib", "mlflow"}
    report = f"print(*sorted({slow} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}\n{report}"],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=120, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_the_package_loads_neither_spark_nor_tensorflow_nor_matplotlib():
    assert loaded_by("import dp_spark; dp_spark.labeling_function; dp_spark.VoteCounts") == set()


def test_the_help_of_every_verb_loads_neither_spark_nor_tensorflow():
    statement = (
        "import contextlib, io; from dp_spark.cli.verbs import dp_spark, main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    [main([*verb, '--help']) for verb in ([], *([name] for name in dp_spark.commands))]\n"
    )
    assert loaded_by(statement) == set()


def test_a_configuration_is_read_without_tensorflow():
    assert "tensorflow" not in loaded_by("import dp_spark.config")


@pytest.mark.parametrize(
    "module", ["dp_spark.labeling.apply", "dp_spark.labels.label", "dp_spark.counting.count"]
)
def test_a_worker_that_votes_counts_or_labels_loads_no_tensorflow(module):
    assert loaded_by(f"import {module}") == {"pyspark"}


def test_every_public_name_is_where_the_package_says():
    statement = "import dp_spark; [getattr(dp_spark, name) for name in dp_spark.__all__]"
    assert loaded_by(statement) >= {"pyspark", "tensorflow"}


def test_an_unknown_public_name_is_refused_with_the_known_ones():
    import dp_spark

    with pytest.raises(AttributeError, match=r"no attribute 'aply_lfs'; it has .*apply_lfs"):
        dp_spark.aply_lfs  # noqa: B018
