"""The report as JSON and as a page: what it says, what it must not let through, how large it gets."""

import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from report.run_facts import made_facts, votes_and_gold

from dp_spark.report.run_facts import ShownRow
from dp_spark.report.run_report import RunReport

EVIL = [
    "<script>alert(1)</script>",
    "$x_1$ & \\frac{a}",
    "\x0b\x00 '\"><img src=x onerror=alert(1)>",
    "y" * 300,
]
MAX_BYTES = 3_000_000


class Tags(HTMLParser):
    """The tags of a page, their attributes, and the text outside of them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def facts():
    votes, gold = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7], [0.5, 0.4, 0.4, 0.3, 0.3])
    return made_facts(votes, gold=gold, lf_names=["link", "caps", "short", "emoji", "name"])


@pytest.fixture(scope="module")
def evil():
    votes, _ = votes_and_gold([0.9, 0.85, 0.8, 0.75], [0.5] * 4)
    made = made_facts(
        votes, lf_names=EVIL, class_names=("<b>ham</b>", "<i>spam"), table="/t/<script>x", errors={EVIL[0]: 9}
    )
    row = ShownRow({"<u>text": "<script>alert('row')</script>"}, 0.5, "<i>spam", 2)
    return replace(
        made, rows=(row,), notes=("<script>note</script>",), warnings=("<script>warning</script>",)
    )


@pytest.fixture(scope="module")
def page(facts):
    return RunReport(facts).to_html()


@pytest.fixture(scope="module")
def evil_page(evil):
    return RunReport(evil).to_html()


def test_json_gives_the_same_report_back(facts):
    report = RunReport(facts)
    assert RunReport.from_json(report.to_json()) == report


def test_a_metric_that_is_not_finite_is_null_in_json_and_a_gap_in_the_page(facts):
    epochs = ({"loss": 0.5, "accuracy": 0.75}, {"loss": float("inf"), "accuracy": float("nan")})
    report = RunReport(replace(facts, training=epochs))
    back = RunReport.from_json(report.to_json())
    assert back.facts.training == (epochs[0], {"loss": None, "accuracy": None})
    assert back.to_html() == report.to_html()
    assert "Training of the end model" in Tags(back.to_html()).text


def test_a_plot_that_fails_is_a_note_on_the_page(facts):
    torn = replace(facts, training=({"loss": "no number"},))
    text = Tags(RunReport(torn).to_html()).text
    assert "The plot of training curves could not be drawn: " in text
    assert "How accurate labeling functions are" in text


def test_shares_that_are_of_a_sample_are_said_to_be(facts, page):
    assert "from a sample" not in page
    sampled = replace(facts, coverage=replace(facts.coverage, sample_rate=0.25))
    assert "shares from a sample of 25% of the vote vectors" in Tags(RunReport(sampled).to_html()).text


def test_the_page_says_what_was_labeled_and_what_of_it_is_covered(facts, page):
    text = Tags(page).text
    assert "Labels of comments" in text
    assert "600 rows · 5 labeling functions" in re.sub(r"\s+", " ", text)
    assert f"{facts.coverage.share_covered:.1%}" in text
    assert facts.quality.headline in text
    assert facts.subject.label_model_id in text


def test_the_same_numbers_give_the_same_page(facts, page):
    assert RunReport(facts).to_html() == page


def test_the_settings_of_a_user_of_matplotlib_do_not_reach_the_page(facts, page):
    theirs = {"text.usetex": True, "font.size": 20, "axes.facecolor": "black", "lines.linewidth": 9}
    with matplotlib.rc_context(theirs):
        assert RunReport(facts).to_html() == page
        assert matplotlib.rcParams["text.usetex"]


def test_names_in_any_script_give_no_warnings():
    votes, _ = votes_and_gold([0.9, 0.8, 0.7], [0.5] * 3)
    named = made_facts(votes, lf_names=["規則", "règle", "قاعدة"])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        page = RunReport(named).to_html()
    assert not said
    assert "規則" in Tags(page).text


def test_every_labeling_function_has_a_dot_that_says_its_name(facts, page):
    titles = re.findall(r"<title>([^<]*)</title>", page)
    for lf in facts.lfs:
        assert any(title.startswith(f"{lf.name}: accuracy {lf.accuracy:.1%}") for title in titles)


@pytest.mark.parametrize("of", ["page", "evil_page"])
def test_the_page_holds_no_script_and_names_nothing_outside_itself(of, request):
    page = Tags(request.getfixturevalue(of))
    names = {tag for tag, _ in page.tags}
    assert names & {"script", "img", "iframe", "object", "base", "form", "b", "i", "u"} == set()
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
    policies = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_names_are_shown_as_they_are(evil_page):
    text = Tags(evil_page).text
    assert "<script>alert(1)</script>" in text
    assert "<script>alert('row')</script>" in text
    assert "$x_1$ & \\frac{a}" in text


def test_figures_need_no_style_sheet_and_share_no_ids(page):
    figures = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(figures) >= 6
    ids = []
    for figure in figures:
        root = ElementTree.fromstring(figure)
        elements = list(root.iter())
        assert not [
            element for element in elements if "style" in element.attrib or element.tag.endswith("style")
        ]
        ids += [element.get("id") for element in elements if "id" in element.attrib]
        assert root.get("aria-label")
    assert len(ids) == len(set(ids))


def test_rows_of_the_data_are_shown_only_where_asked_for(page, evil_page):
    assert "Rows with the least certain labels" not in page
    assert "Rows with the least certain labels" in evil_page


@pytest.mark.parametrize(
    ("accuracies", "coverages", "class_names"),
    [
        ([0.8], [0.5], ("ham", "spam")),
        ([0.8, 0.8], [0.5, 0.0], ("ham", "spam")),
        ([0.8] * 3, [0.0] * 3, ("ham", "spam")),
        ([0.8] * 4, [0.5] * 4, tuple(f"class {i}" for i in range(127))),
    ],
    ids=["one", "a silent one", "nothing covered", "127 classes"],
)
def test_runs_at_the_edge_have_a_report(accuracies, coverages, class_names):
    votes, _ = votes_and_gold(accuracies, coverages, 200, len(class_names))
    report = RunReport(made_facts(votes, class_names=class_names))
    assert "Labels of comments" in Tags(report.to_html()).text
    assert RunReport.from_json(report.to_json()) == report


def test_the_report_of_ten_million_rows_and_200_labeling_functions_is_small():
    rng = np.random.default_rng(0)
    votes, _ = votes_and_gold(rng.uniform(0.5, 0.9, 200), rng.uniform(0.01, 0.3, 200), 300)
    facts = made_facts(votes, model="majority_vote", scale=1 << 15)
    assert facts.subject.num_data_points == 300 << 15
    page = RunReport(facts).to_html()
    assert len(page.encode()) < MAX_BYTES
    assert len(RunReport(facts).to_json()) < MAX_BYTES


def test_in_a_notebook_the_page_stands_in_a_frame_of_its_own(evil, evil_page):
    tags = Tags(RunReport(evil)._repr_html_()).tags
    assert [tag for tag, _ in tags] == ["iframe"]
    assert tags[0][1]["sandbox"] == ""
    assert tags[0][1]["srcdoc"] == evil_page
