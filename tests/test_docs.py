"""Every Python snippet of the README and docs/ runs, and every file that they name is there."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "deploy" / "README.md"]
SNIPPETS = [
    (page.name, number, code)
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize(("page", "number", "code"), SNIPPETS, ids=[f"{p}-{n}" for p, n, _ in SNIPPETS])
def test_a_snippet_runs(spark, page, number, code, tmp_path, monkeypatch):
    script = tmp_path / f"snippet_{number}.py"
    script.write_text(code)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")  # whose functions travel by value, as those of a job do


def test_there_are_snippets():
    assert len(SNIPPETS) >= 4


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_and_jobs_lead_somewhere(page):
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]
    assert not [job for job in re.findall(r"\bjobs/\w+\.py", text) if not (ROOT / job).exists()]
    assert not [file for file in re.findall(r"\bconf/[\w.-]+\w", text) if not (ROOT / file).exists()]


def test_make_targets_in_the_readme_exist():
    targets = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert targets == ["run", "test"]
    assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in targets)
