"""A new project, as `dp-spark init` writes it, and runs of it with other settings."""

import importlib
import re
import sys

import pytest
from pyspark import cloudpickle

from dp_spark.commands.init import CONFIG_FILE, init
from dp_spark.config import parse_config
from dp_spark.run import Run


class Project:
    """A project's folder; modules in it travel to the workers by value, so that they need not be shipped."""

    def __init__(self, folder, storage):
        self.folder, self.storage = folder, storage
        self.text = (folder / CONFIG_FILE).read_text().replace('"reviews.csv"', f'"{folder}/reviews.csv"')
        self.text = self.text.replace('output = "output"', f'output = "{folder}/output"')

    def add_module(self, name, text):
        (self.folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        cloudpickle.register_pickle_by_value(importlib.import_module(name))

    def edited(self, **settings):
        """The configuration with settings replaced or added, by section__name; values as TOML writes them."""
        text = self.text
        for place, value in settings.items():
            section, _, name = place.partition("__")
            head, tail = text[: text.index(f"[{section}]")], text[text.index(f"[{section}]") :]
            tail, found = re.subn(
                rf"(?m)^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v}", tail, count=1
            )
            own = tail if found else tail.replace("\n", f"\n{name} = {value}\n", 1)
            text = head + own
        return text

    def run(self, output="output", overwrite=False, **settings):
        config = parse_config(self.edited(**settings), CONFIG_FILE)
        return Run(self.storage, config, str(self.folder / output), overwrite)


@pytest.fixture(scope="session")
def project(storage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("a project")
    init(str(folder))
    sys.path.insert(0, str(folder))
    project = Project(folder, storage)
    project.add_module("labeling_functions", (folder / "labeling_functions.py").read_text())
    yield project
    sys.path.remove(str(folder))
