"""The report in a real browser: headless Chromium, on a phone's width and on a desk's, without a network."""

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from report.run_facts import made_facts, votes_and_gold

from dp_spark.report.run_report import RunReport

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt-get install chromium")

PROBE = """
<script>
const out = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && !e.closest("svg"))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.tagName);
const texts = [...document.querySelectorAll("svg")].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(t => {
    const box = t.getBoundingClientRect();
    return box.left < frame.left - 4 || box.right > frame.right + 4;
  }).map(t => t.textContent);
});
const heights = [...document.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect().height);
document.body.insertAdjacentHTML("beforeend", "<pre id=probe></pre>");
document.getElementById("probe").textContent = JSON.stringify({
  width: document.documentElement.clientWidth, scroll: document.documentElement.scrollWidth, out, texts, heights,
  loaded: performance.getEntriesByType("resource").map(e => e.name),
});
</script>
"""


class Probe(HTMLParser):
    """The text of the element with the id "probe"."""

    def __init__(self, page):
        super().__init__()
        self.is_inside, self.text = False, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.is_inside = dict(attrs).get("id") == "probe"

    def handle_endtag(self, tag):
        self.is_inside = False

    def handle_data(self, data):
        self.text += data if self.is_inside else ""


@pytest.fixture(scope="module")
def page():
    votes, gold = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7, 0.6], [0.5, 0.4, 0.4, 0.3, 0.3, 0.2])
    names = [
        "<script>document.title = 'run'</script>",
        *(f"a_labeling_function_with_a_long_name_{i}" for i in range(5)),
    ]
    return RunReport(made_facts(votes, gold=gold, lf_names=names)).to_html()


def browse(place, page, *options):
    """What Chromium prints when it opens a page, and what it complains of."""
    file = place / "report.html"
    file.write_text(page)
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0",
        f"--user-data-dir={place / 'profile'}", *options, file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "HOME": str(place)},
    )
    return done.stdout, done.stderr


def probed(place, page, width):
    """What a script inside the page measures; only here may the page run one."""
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.search(page)
    open_page = policy.sub("", page).replace("</body>", f"{PROBE}</body>")
    shown, _ = browse(place, open_page, "--dump-dom", f"--window-size={width},800")
    return json.loads(Probe(shown).text)


def test_the_page_opens_without_a_complaint(tmp_path, page):
    shown, complaints = browse(tmp_path, page, "--dump-dom")
    assert "CONSOLE" not in complaints
    assert "<title>comments · dp_spark report</title>" in shown  # the name of a labeling function did not run


def test_a_page_that_complains_would_be_noticed(tmp_path, page):
    _, complaints = browse(tmp_path, page.replace("</body>", "<script>1</script></body>"), "--dump-dom")
    assert "CONSOLE" in complaints
    assert "Content Security Policy" in complaints


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_loaded_or_wider_than_the_screen_and_no_text_leaves_its_figure(tmp_path, page, width):
    found = probed(tmp_path, page, width)
    assert found["scroll"] <= found["width"]
    assert found["out"] == []
    assert found["texts"] == []
    assert found["loaded"] == []
    assert min(found["heights"]) > 50


def test_the_page_prints(tmp_path, page):
    browse(tmp_path, page, f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer")
    printed = (tmp_path / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8


def test_figures_are_drawn_also_where_styles_are_forbidden(tmp_path, page):
    strict = page.replace("style-src 'unsafe-inline'", "style-src 'none'")
    assert strict != page
    picture = tmp_path / "strict.png"
    browse(tmp_path, strict, f"--screenshot={picture}", "--window-size=800,6000", "--hide-scrollbars")
    image = pytest.importorskip("matplotlib.image").imread(picture)
    blue = (image[:, :, 2] > image[:, :, 0] + 0.15) & (image[:, :, 2] > 0.5)
    assert blue.mean() > 0.002  # dots and bars have their colour
    assert (image[:, :, :3].max(axis=2) < 0.1).mean() < 0.05  # and are not filled with black
