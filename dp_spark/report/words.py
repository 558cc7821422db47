"""Numbers and names as a reader of a report sees them."""

from dp_spark.report.vote_facts import LFFacts


def cut_in_middle(name: str, length: int) -> str:
    """A name of at most `length` characters, cut in its middle.

    >>> cut_in_middle("a_rather_long_name", 9)
    'a_ra…name'
    """
    name = printable(name)
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[len(name) - (length - 1 - head) :]}"


def printable(text: str) -> str:
    """The text without what neither XML nor a screen can show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


def lf_title(lf: LFFacts) -> str:
    """What a tooltip says of a labeling function."""
    interval = (
        f" ({lf.interval[0]:.1%} to {lf.interval[1]:.1%})"
        if lf.interval
        else " (assumed: the votes do not say)"
    )
    gold = f", on gold {lf.empirical_accuracy:.1%}" if lf.empirical_accuracy is not None else ""
    return f"{lf.name}: accuracy {lf.accuracy or 0:.1%}{interval}{gold}; votes on {share_text(lf.coverage)} of the rows"


def share_text(share: float) -> str:
    """A share as percent, with a digit that says something.

    >>> share_text(0.5), share_text(0.012), share_text(0.0), share_text(0.00004)
    ('50%', '1.2%', '0%', '<0.1%')
    """
    if share == 0 or share >= 0.0995:
        return f"{share:.0%}"
    return "<0.1%" if share < 0.001 else f"{share:.1%}"
