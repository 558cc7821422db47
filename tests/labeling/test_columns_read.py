"""Which columns of a data point a function reads, found in its source and in that of what it calls."""

import functools

import pytest

from dp_spark.labeling.columns_read import columns_read


def by_attribute(x):
    return 1 if x.text and x["odd name"] and getattr(x, "a.b") else None  # noqa: B009


def passes_it_on(x):
    return by_attribute(x)


def reads_two(first, row, *, other=None):
    return row.title and other.author


def passes_it_on_by_name(x):
    return reads_two(1, x, other=x)


def calls_itself(x, depth=0):
    return x.text if depth else calls_itself(x, 1) and x.parent


def passes_it_to_a_variable(x, helper=by_attribute):
    return helper(x)


def passes_it_starred(x):
    return reads_two(*[1], x)


def passes_it_to_a_library(x):
    return repr(x) + x.text


def passes_it_to_what_hides_it(x):
    return has_an_inner_function_with_the_same_name(x) and x.text


def with_the_title(function):
    @functools.wraps(function)
    def wrapper(x):
        return x.title and function(x)

    return wrapper


@with_the_title
def is_wrapped(x):
    return x.text


def from_a_closure():
    def has_title(x):
        return x.title

    def of_both(x):
        return has_title(x) or x.text

    return of_both


def names_the_column_in_a_variable(x, column="text"):
    return getattr(x, column)


def replaces_it(x):
    x = x.parent
    return x.text


def has_an_inner_function_with_the_same_name(x):
    return max(x.votes, key=lambda x: x.weight)


def calls_methods(point):
    return 1 if point.text.lower().count("a") > 2 else None


@pytest.mark.parametrize(
    ("function", "columns"),
    [
        (by_attribute, ("a.b", "odd name", "text")),
        (calls_methods, ("text",)),
        (passes_it_on, ("a.b", "odd name", "text")),
        (passes_it_on_by_name, ("author", "title")),
        (calls_itself, ("parent", "text")),
        (passes_it_to_a_variable, None),
        (passes_it_starred, None),
        (passes_it_to_a_library, None),
        (passes_it_to_what_hides_it, None),
        (is_wrapped, None),
        (from_a_closure(), ("text", "title")),
        (names_the_column_in_a_variable, None),
        (replaces_it, None),
        (has_an_inner_function_with_the_same_name, None),
        (lambda x: x.text, None),
        (len, None),
    ],
)
def test_the_columns_read_are_told_only_where_they_are_certain(function, columns):
    assert columns_read(function) == columns


def long_text(batch, least=3):
    return batch["text"].str.len() > least


def of_a_batch(batch):
    return long_text(batch) & (batch["likes"] > 3)


def of_a_batch_with_attributes(batch):
    return long_text(batch) & (batch.likes > 3)


def test_the_columns_that_a_function_of_batches_reads_are_followed_too():
    assert columns_read(of_a_batch, attributes=False) == ("likes", "text")
    assert columns_read(of_a_batch_with_attributes, attributes=False) is None
