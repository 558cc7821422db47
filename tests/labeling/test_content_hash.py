import functools
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dp_spark.labeling.content_hash import digest

REPOSITORY = Path(__file__).parents[2]

BASE = '''
import functools
import re
import shapes
from dp_spark.labeling.functions import labeling_function

PATTERN = re.compile("free")
WORDS = {"win", "cash", "prize", "now", "deal"}
LIMIT = 3

class Scale:
    def __init__(self, words): self.words = words
    def of(self, text): return len(text) * 2

SCALE = Scale({"win", "cash", "prize", "now", "deal"})

def helper(text):
    return len(text) > 1

@functools.lru_cache
def cached(text):
    return len(text) > 4

@labeling_function(resources={"spammers": {"bob", "eve"}})
def spam(x, spammers, least=2):
    """Votes on spam."""
    if PATTERN.search(x.text) and helper(x.text) and len(x.text) > LIMIT:
        return 1
    if x.author in spammers or x.text in {"win", "cash", "prize"} or x.text in WORDS:
        return 1 if shapes.is_long(x.text) and SCALE.of(x.text) > 8 else None
    return -1 if cached(x.text) and len(x.text) < least else None
'''
SHAPES = "def is_long(text):\n    return len(text) > 5\n"


@pytest.fixture
def hash_of(tmp_path, monkeypatch):
    """source of a module and of the module `shapes` that it imports -> content hash of its `spam`."""
    numbers = itertools.count()

    def hashed(source=BASE, shapes=SHAPES):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        (folder / "shapes.py").write_text(shapes)
        (folder / "rules.py").write_text(source)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            for name in ("shapes", "rules"):
                sys.modules.pop(name, None)
            return __import__("rules").spam.content_hash

    yield hashed
    for name in ("shapes", "rules"):
        sys.modules.pop(name, None)


def changed(old, new):
    assert BASE.count(old) == 1, old
    return BASE.replace(old, new)


def test_the_hash_is_16_hex_digits_and_the_same_for_the_same_code(hash_of):
    first = hash_of()
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert hash_of() == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    return -1 if cached", "    # a comment\n    return -1 if cached"),
        ("len(x.text) > LIMIT:", "len( x.text )>LIMIT :"),
        ('"""Votes on spam."""', '"""Another docstring."""'),
        ("LIMIT = 3", "LIMIT = 3\nUNUSED = 4"),
    ],
    ids=["comment", "formatting", "docstring", "an unused global"],
)
def test_the_hash_is_not_moved_by_what_cannot_move_votes(hash_of, old, new):
    assert hash_of(changed(old, new)) == hash_of()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('in {"win", "cash", "prize"}', 'in {"win", "cash", "price"}'),
        ("return len(text) > 1", "return len(text) > 2"),
        ("return len(text) > 4", "return len(text) > 3"),
        ('{"bob", "eve"}', '{"bob", "eva"}'),
        ("least=2", "least=3"),
        ("LIMIT = 3", "LIMIT = 4"),
        ('re.compile("free")', 're.compile("free", re.I)'),
        ('WORDS = {"win",', 'WORDS = {"lose",'),
        ("return len(text) * 2", "return len(text) * 3"),
        ('Scale({"win",', 'Scale({"lose",'),
    ],
    ids=[
        "constant", "helper", "cached helper", "resource", "default", "global", "pattern flags", "global set",
        "code of an object's class", "content of an object",
    ],
)  # fmt: skip
def test_the_hash_is_moved_by_everything_that_can_move_votes(hash_of, old, new):
    assert hash_of(changed(old, new)) != hash_of()


def test_the_hash_covers_functions_that_are_reached_through_an_imported_module(hash_of):
    assert hash_of(shapes=SHAPES.replace("5", "6")) != hash_of()


def test_the_hash_is_the_same_in_processes_with_different_hash_seeds(tmp_path):
    (tmp_path / "shapes.py").write_text(SHAPES)
    in_lambda = (
        "from_lambda = labeling_function(name='l')(lambda x: 1 if x.text in {'a', 'b', 'c', 'd'} else 0)"
    )
    (tmp_path / "rules.py").write_text(f"{BASE}\n{in_lambda}\n")
    # From an archive-like place the source is not at hand, and the bytecode is hashed.
    source_free = (
        "exec(compile('def f(x):\\n return 1 if x.a in {1.5, \"b\", \"c\", \"d\"} else 0', '<x>', 'exec'))"
    )
    code = (
        "import rules; from dp_spark.labeling.content_hash import digest; "
        f"{source_free}; print(rules.spam.content_hash, rules.from_lambda.content_hash, digest(f))"
    )
    told = set()
    for seed in ("0", "1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        told.add(done.stdout)
    assert len(told) == 1
    assert len(told.pop().split()) == 3


def test_equal_containers_have_equal_digests_and_different_ones_do_not():
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest({1, 2, 3}) == digest({3, 2, 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest(1) != digest(1.0)
    assert digest(1) != digest("1")
    assert digest(functools.partial(int, base=2)) != digest(functools.partial(int, base=3))


def test_functions_that_call_each_other_have_a_digest():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert digest(even) != digest(odd)


def test_a_decorator_of_the_user_is_part_of_the_digest():
    def decorated(bonus):
        def wrapper(x):
            return 1 + bonus if x.text else None

        return functools.wraps(plain)(wrapper)

    def plain(x):
        return 1 if x.text else None

    def other(x):
        return 2 if x.author else None

    assert digest(decorated(0)) == digest(decorated(0))
    assert digest(decorated(0)) != digest(decorated(1))
    assert digest(functools.wraps(plain)(other)) != digest(plain)
