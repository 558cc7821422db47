import io
import logging
import sys

import pytest

from dp_spark.progress import display
from dp_spark.progress.display import Bar, Lines, new_display, show_progress, shown_kind
from dp_spark.progress.snapshot import Snapshot, clock

HALF_WAY = Snapshot("count-votes", "counting the votes of 20 LFs", 45, 200, rows_per_second=1200.4,
                    seconds_left=12.0, seconds=3.5)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_shown_afterwards():
    yield
    show_progress("none")


def test_a_snapshot_says_stage_parts_pace_and_time_left():
    assert HALF_WAY.title == "count-votes: counting the votes of 20 LFs"
    assert HALF_WAY.text == "45/200 partitions, 1,200 rows/s, 0:12 left"
    assert HALF_WAY.line == f"{HALF_WAY.title}: partitions=45/200 rows/s=1,200 seconds=4 seconds_left=12"


def test_a_snapshot_leaves_out_what_is_not_known():
    assert Snapshot("label", "", seconds=61.0).text == "1:01 so far"
    assert Snapshot("", "trying 2 LFs", seconds=2.0).line == "trying 2 LFs: seconds=2"


@pytest.mark.parametrize(("seconds", "shown"), [(9.4, "0:09"), (90, "1:30"), (7500, "2:05:00")])
def test_seconds_are_shown_as_on_a_clock(seconds, shown):
    assert clock(seconds) == shown


def test_a_bar_shows_the_numbers_and_leaves_nothing(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    bar = Bar()
    bar.show(HALF_WAY)
    last = screen.getvalue().split("\r")[-1]
    assert last.startswith("count-votes: counting")
    assert "… |" in last  # the terminal has 80 columns
    assert last.rstrip().endswith("| 45/200 partitions, 1,200 rows/s, 0:12 left")
    bar.close()
    assert screen.getvalue().split("\r")[-2].strip() == ""
    assert screen.getvalue().endswith("\r")


def test_what_is_done_within_a_second_shows_no_bar(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    bar = Bar()
    bar.show(Snapshot("label", "", seconds=0.9))
    bar.close()
    assert screen.getvalue() == ""


def test_a_log_gets_a_line_every_ten_seconds(monkeypatch, caplog):
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, logger="dp_spark")
    lines = Lines()
    for second in range(1, 31):
        now[0] = 100.0 + second
        lines.show(HALF_WAY)
    assert caplog.messages == [HALF_WAY.line] * 3
    assert caplog.records[0].fields["partitions_done"] == 45
    assert caplog.records[0].fields["rows_per_second"] == 1200


def test_nothing_is_shown_unless_asked():
    assert shown_kind() == "none"
    assert new_display() is None
    show_progress("lines")
    assert isinstance(new_display(), Lines)
    show_progress("bar")
    assert isinstance(new_display(), Bar)


def test_progress_is_lines_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    show_progress()
    assert shown_kind() == "lines"


def test_another_kind_of_progress_is_refused():
    with pytest.raises(ValueError, match="kind is 'bars': expected one of auto, bar, lines, none"):
        show_progress("bars")
