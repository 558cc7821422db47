"""Which line of a CSV or JSON lines file cannot be read: Spark names the file alone."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dp_spark.texts import counted

_COMPRESSED = (".gz", ".bz2", ".zst", ".snappy", ".lz4", ".deflate")
MAX_BYTES = 1 << 30  # of a file that is looked through; half a minute


def bad_line(file: str) -> str:
    """What is wrong with the first bad line of a file, such as "line 7 has 3 values, the first line 4 names".

    Args:
        file: as Spark's messages name it; on a file system of this machine, else nothing is found.

    Returns:
        The empty text if nothing is found: elsewhere, compressed, too big, or only a type is wrong.
    """
    parts = urlsplit(file)
    path = Path(unquote(parts.path))
    is_here = parts.scheme == "file" and path.is_file() and path.suffix not in _COMPRESSED
    if not is_here or path.stat().st_size > MAX_BYTES:
        return ""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            lines.seek(0)
            if first.lstrip().startswith(("{", "[")):
                return _bad_json(lines)
            return _bad_csv(lines)
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except (OSError, csv.Error) as problem:
        return str(problem)


def _bad_csv(lines: Iterable[str]) -> str:
    seen = _Lines(lines)
    rows = csv.reader(seen, strict=True)
    num_names = len(next(rows, []))
    last, first_end = rows.line_num, seen.end
    for row in rows:
        if seen.end and seen.end != first_end:
            return f"line {rows.line_num} ends in {seen.end!r}, the first line in {first_end!r}"
        if row and len(row) != num_names:
            return f"line {last + 1} has {counted(len(row), 'value')}, the first line {counted(num_names, 'name')}"
        last = rows.line_num
    return ""


class _Lines:
    """Lines, and how the one that was read last ends: the last one of a file need not end in anything."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.end = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.end = line[len(line.rstrip("\r\n")) :]
            yield line


def _bad_json(lines: Iterable[str]) -> str:
    for number, line in enumerate(lines, start=1):
        try:
            is_object = not line.strip() or isinstance(json.loads(line), dict)
        except ValueError:
            is_object = False
        if not is_object:
            return f"line {number} holds no whole JSON object"
    return ""
