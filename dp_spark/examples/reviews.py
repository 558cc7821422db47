"""A few hundred reviews of a shop's customers, made from a seed: the table of a new project (`dp-spark init`).

Whether a customer is content (+1) or not (-1) decides what he writes, as a rule: some praise what
they send back, stars are often not given, and only some rows have been read by a person and have a gold label.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("id", "item", "text", "stars", "delivery_days", "earlier_orders", "gold")
NUM_ROWS = 400
SEED = 2016

_CONTENT_SHARE = 0.6
_GOLD_SHARE = 0.5
_STARS_SHARE = 0.4
_OTHER_OPINION_SHARE = 0.18  # of sentences that the other kind of customer would write

_ITEMS = ("kettle", "headphones", "backpack", "desk lamp", "running shoes", "coffee grinder", "rain jacket")
_OPENINGS = (
    "I bought the {item} three weeks ago.",
    "Ordered the {item} for my sister.",
    "My second {item} from this shop.",
    "The {item} arrived on a {day}.",
    "We use the {item} every day.",
    "Got the {item} as a present.",
    "It is a {item}, what can I say.",
)
_DAYS = ("Monday", "Tuesday", "Friday", "Saturday")
_OPINIONS = {
    1: (
        "It is excellent and looks better than on the pictures.",
        "Works perfectly so far.",
        "I love it.",
        "Great value for the money.",
        "Very happy with the quality.",
        "Sturdy, light and easy to clean.",
        "Does exactly what it should.",
        "My neighbour wants one now.",
        "Better than the one that I had before.",
        "It has not let me down once.",
        "Feels solid, and the colour is right.",
        "Good instructions, ready in five minutes.",
    ),
    -1: (
        "It broke after two days.",
        "The quality is poor and it feels cheap.",
        "Very disappointed.",
        "It was damaged when I opened the box.",
        "Terrible smell, and it does not go away.",
        "Nothing like on the pictures.",
        "Too small, too loud, too expensive.",
        "The support never answered me.",
        "A part was missing.",
        "It stopped working within a week.",
        "The zip is stuck and the colour is wrong.",
        "Not worth the price.",
    ),
}
_CLOSINGS = {
    1: ("Would buy it again.", "Recommended!", "Thanks for the fast delivery.", "Five stars from me.", ""),
    -1: (
        "I want my money back.",
        "Please send me a refund.",
        "I sent it back.",
        "Never again.",
        "Two weeks late, too.",
        "",
    ),
}


@dataclass(frozen=True)
class Review:
    """One row of the table; None is an empty field."""

    id: int
    item: str
    text: str
    stars: int | None
    delivery_days: int
    earlier_orders: int
    gold: int | None


def reviews(num_rows: int = NUM_ROWS, seed: int = SEED) -> list[Review]:
    """The reviews of a seed; the first n of more rows are those of n rows."""
    draw = random.Random(seed)  # noqa: S311  (no secret)
    return [_review(row + 1, draw) for row in range(num_rows)]


def _review(number: int, draw: random.Random) -> Review:
    y = 1 if draw.random() < _CONTENT_SHARE else -1
    item = draw.choice(_ITEMS)
    opening = draw.choice(_OPENINGS).format(item=item, day=draw.choice(_DAYS))
    sentences = [opening, *(_opinion(y, draw) for _ in range(draw.randint(1, 2))), draw.choice(_CLOSINGS[y])]
    return Review(
        id=number,
        item=item,
        text=" ".join(filter(None, sentences)),
        stars=_stars(y, draw) if draw.random() < _STARS_SHARE else None,
        delivery_days=max(1, round(draw.gauss(4 if y == 1 else 8, 3))),
        earlier_orders=draw.choice((0, 0, 0, 1, 2, 5)),
        gold=y if draw.random() < _GOLD_SHARE else None,
    )


def _opinion(y: int, draw: random.Random) -> str:
    kind = -y if draw.random() < _OTHER_OPINION_SHARE else y
    return draw.choice(_OPINIONS[kind])


def _stars(y: int, draw: random.Random) -> int:
    of_content: Sequence[int] = (3, 4, 4, 5, 5, 5)
    return draw.choice(of_content) if y == 1 else draw.choice((1, 1, 2, 2, 3, 5))
