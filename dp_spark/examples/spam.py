"""Labeling functions for spam among the comments under music videos (tutorial, step 1).

POSITIVE is spam (somebody advertises something), NEGATIVE an honest comment about the video. They read
the column `text`. The words come from what one knows of the task; among sensible thresholds, some were
chosen by looking at labeled comments, as a user with a small development set would. Each weighs a habit
of advertisers against a habit of listeners, so that nearly all vote both ways, as a label model
with one accuracy per labeling function expects. Some are good and some are hardly better than a coin:
telling which is the label model's work.
"""

import re
from typing import Protocol

from dp_spark.labeling.functions import labeling_function
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

FEW_WORDS = 3  # a shout of joy fits in, a pitch hardly does
LONG_TEXT = 150  # characters; advertising needs room to explain itself


class Comment(Protocol):
    """What a data point of this task looks like."""

    text: str


def _words(alternatives: str) -> re.Pattern[str]:
    """A pattern for whole words in any case; an apostrophe may be HTML-escaped."""
    return re.compile(rf"\b(?:{alternatives})\b".replace("'", "(?:'|&#39;)?"), re.IGNORECASE)


def _opening(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"^\W*(?:{alternatives})\b", re.IGNORECASE)


LINK = re.compile(r"https?:|www\.|\b[\w-]+ ?\. ?(?:com|net|org|info|tv|ly|be|gl|co|me)\b", re.IGNORECASE)
CALL_TO_ACTION = _words(
    r"subscribe\w*|subs?|check(?:ing)? (?:(?:it|me|this|that|him|her|them) )?out|check (?:my|our|this)|visit|"
    r"click|follow|join|sign up|download|go to|watch my|share|vote|add me|support (?:me|us|my|our)"
)
OPINION = _words(
    r"(?:i|we|you|everyone) (?:\w+ )?(?:love|like|hate|miss|remember|prefer|want|think|know|feel)|loves?|"
    r"loved|hates?|sucks?|favou?rite|listening|dance|dancing|cry|crying|remember|reminds?"
)
OWN_WORK = _words(
    r"(?:my|our) (?:\w+ ){0,2}(?:channel|videos?|vids?|page|music|songs?|covers?|site|website|playlist|blog|"
    r"album|app|account|profile|beats?|remix|tracks?)|new channel|"
    r"(?:i|we) (?:make|made|do|sing|rap|upload|post)"
)
THIS_VIDEO = _words(
    r"(?:this|the|that|her|his|best|great|good|nice|love|awesome|amazing) (?:\w+ )?(?:song|music|singer|"
    r"voice|lyrics|beat|clip|dance|band|part|party)|songs? (?:is|was|ever)|views?|billion|million"
)
FIRST_PERSON = _words(r"me|us|myself|i'm|i am|we're|we are|i've|i'll|i (?:have|want|need|just|can|will)")
THIRD_PERSON = _words(r"she|he|her|his|him|she's|he's|they|their|himself|herself")
MONEY = _words(
    r"money|cash|free|earn\w*|win|won|prize|giveaway|gift ?cards?|buy|sell|sale|price|cheap|offer|paid|pay|"
    r"paypal|jobs?|rich|dollars?|bucks|donat\w+|business|company|invest\w*|from home"
)
EXCLAMATION = _words(
    r"lo+l|lmf?ao+|rofl|ha(?:ha)+h?|xd|omg|wow|o+h|ye+a+h?|woo+|sexy|hot|cute|fuck\w*|shit|wtf|damn|crap|dumb|"
    r"stupid|ugly|crazy|weird|funny|rip"
)
REQUEST = _words(
    r"please|pls|plz|plea+se|thanks?|thank you|appreciat\w*|help|give (?:me|us|it|this)|could you|can you|"
    r"would you|if you|let me know|feedback|take a (?:look|second|minute)|a chance"
)
PRAISE = _words(
    r"best|great|awesome|amazing|beautiful|perfect|cool|epic|wonderful|incredible|fantastic|catchy|legend|"
    r"brilliant|masterpiece|gorgeous|excellent"
)
AUDIENCE = _words(
    r"guys|everyone|everybody|people|friends|fans|youtubers?|viewers?|bro|peeps|anyone|someone|you all|yall"
)
QUESTION = re.compile(
    r"\b(?:who|why|how|what|where|when|anyone|anybody|is this|does|did)\b[^.!]*\?", re.IGNORECASE
)
CAREER = _words(
    r"artists?|rapper|rap|producer|musicians?|talent\w*|dreams?|famous|career|subscribers|followers|started|"
    r"starting|upload\w*|remix\w*|unsigned|underground|advertis\w*|spam\w*|promot\w*|support"
)
MEMORY = _words(
    r"views?|viewed|billion|million|years?|20[01]\d|still|watching|watched|childhood|memories|today|tonight|"
    r"old|ago|nostalgi\w*|anymore|forever|generation"
)
OFFER_FIRST = _opening(
    r"hey|hi|hello|dear|yo|if you|want to|wanna|do you|are you|have you|my|our|we|new|free|attention|looking"
)
TOPIC_FIRST = _opening(
    r"this|that|the|she|he|her|his|it|it'?s|so|omg|wow|lo+l|who|why|how|what|when|where|one of|best|oh|yeah|"
    r"still"
)
LAYOUT = re.compile(r"<br|&quot;|,.*,|[|*#@_~]|\d%|:\s", re.IGNORECASE)
SHOUTING = re.compile(
    r"!!|\?\?|[:;]-?[)DPO3(]|<3|&lt;3|\bXD\b|[\U0001F300-\U0001FAFF\u2600-\u27bf]|(.)\1\1", re.IGNORECASE
)


def _weigh(text: str, positive: re.Pattern[str], negative: re.Pattern[str]) -> int | None:
    """The side that occurs in the text; abstain if neither or both do."""
    is_positive, is_negative = bool(positive.search(text)), bool(negative.search(text))
    if is_positive == is_negative:
        return None
    return POSITIVE if is_positive else NEGATIVE


@labeling_function
def link_or_few_words(x: Comment) -> int | None:
    """Spam leads to some other place on the web; two or three words that don't are a shout."""
    if LINK.search(x.text):
        return POSITIVE
    return NEGATIVE if len(x.text.split()) <= FEW_WORDS else None


@labeling_function
def call_or_opinion(x: Comment) -> int | None:
    """Spam tells readers what to do; listeners say what they feel."""
    return _weigh(x.text, CALL_TO_ACTION, OPINION)


@labeling_function
def own_work_or_this_video(x: Comment) -> int | None:
    """Spam is about its author's work; comments are about the video."""
    return _weigh(x.text, OWN_WORK, THIS_VIDEO)


@labeling_function
def first_or_third_person(x: Comment) -> int | None:
    """Spam speaks of "me"; listeners speak of her and him."""
    return _weigh(x.text, FIRST_PERSON, THIRD_PERSON)


@labeling_function
def money_or_exclamation(x: Comment) -> int | None:
    """Spam speaks of money; listeners shout, laugh and swear."""
    return _weigh(x.text, MONEY, EXCLAMATION)


@labeling_function
def request_or_praise(x: Comment) -> int | None:
    """Spam asks for a favour; listeners praise."""
    return _weigh(x.text, REQUEST, PRAISE)


@labeling_function
def audience_or_question(x: Comment) -> int | None:
    """Spam addresses everybody; listeners wonder who, why and what."""
    return _weigh(x.text, AUDIENCE, QUESTION)


@labeling_function
def career_or_memory(x: Comment) -> int | None:
    """Spam tells of a career to be; listeners of views, years and memories."""
    return _weigh(x.text, CAREER, MEMORY)


@labeling_function
def offer_or_topic_first(x: Comment) -> int | None:
    """Spam opens with a greeting or an offer; comments open with their topic."""
    return _weigh(x.text, OFFER_FIRST, TOPIC_FIRST)


@labeling_function
def layout_or_shouting(x: Comment) -> int | None:
    """A guess: spam is laid out in lists and breaks, while listeners shout and smile."""
    return _weigh(x.text, LAYOUT, SHOUTING)


@labeling_function
def long_text(x: Comment) -> int | None:
    """Spam has something to explain; one-sided, as shortness counts in `link_or_few_words`."""
    return POSITIVE if len(x.text) > LONG_TEXT else None


LFS = [
    link_or_few_words,
    call_or_opinion,
    own_work_or_this_video,
    first_or_third_person,
    money_or_exclamation,
    request_or_praise,
    audience_or_question,
    career_or_memory,
    offer_or_topic_first,
    layout_or_shouting,
    long_text,
]
