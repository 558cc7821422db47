from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from dp_spark.examples import spam
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

YOUTUBE = Path(__file__).parents[2].parent / "shared" / "data" / "text" / "youtube.parquet"

EXAMPLES = [
    (spam.link_or_few_words, "see http://a.example/b for more of it", POSITIVE),
    (spam.link_or_few_words, "tunes4you . com is the place to be", POSITIVE),
    (spam.link_or_few_words, "so good", NEGATIVE),
    (spam.link_or_few_words, "I wish that summer would come back", None),
    (spam.call_or_opinion, "Check it out!", POSITIVE),
    (spam.call_or_opinion, "SUBSCRIBE", POSITIVE),
    (spam.call_or_opinion, "we really miss you", NEGATIVE),
    (spam.call_or_opinion, "I love it, follow me", None),
    (spam.call_or_opinion, "submarine", None),
    (spam.own_work_or_this_video, "watch my brand new channel", POSITIVE),
    (spam.own_work_or_this_video, "best song ever", NEGATIVE),
    (spam.own_work_or_this_video, "my cat sleeps", None),
    (spam.first_or_third_person, "I&#39;m a painter", POSITIVE),
    (spam.first_or_third_person, "im a painter", POSITIVE),
    (spam.first_or_third_person, "her hair", NEGATIVE),
    (spam.first_or_third_person, "she and me", None),
    (spam.money_or_exclamation, "Earning cash is easy", POSITIVE),
    (spam.money_or_exclamation, "loooool", NEGATIVE),
    (spam.money_or_exclamation, "nothing of the kind", None),
    (spam.request_or_praise, "Please?", POSITIVE),
    (spam.request_or_praise, "a masterpiece", NEGATIVE),
    (spam.request_or_praise, "please, this is the best", None),
    (spam.audience_or_question, "look here guys", POSITIVE),
    (spam.audience_or_question, "why does it stop so early?", NEGATIVE),
    (spam.audience_or_question, "why not. Right?", None),
    (spam.career_or_memory, "a talented producer", POSITIVE),
    (spam.career_or_memory, "still here in 2015", NEGATIVE),
    (spam.career_or_memory, "la la la", None),
    (spam.offer_or_topic_first, "Hey, listen", POSITIVE),
    (spam.offer_or_topic_first, "  this one", NEGATIVE),
    (spam.offer_or_topic_first, "la la, this one", None),
    (spam.layout_or_shouting, "one<br />two", POSITIVE),
    (spam.layout_or_shouting, "yes!! :)", NEGATIVE),
    (spam.layout_or_shouting, "yes, well", None),
    (spam.long_text, "x" * (spam.LONG_TEXT + 1), POSITIVE),
    (spam.long_text, "x" * spam.LONG_TEXT, None),
]


@pytest.mark.parametrize(("lf", "text", "vote"), EXAMPLES, ids=lambda value: getattr(value, "name", None))
def test_vote_on_example(lf, text, vote):
    assert lf(SimpleNamespace(text=text)) == vote


def test_every_labeling_function_has_an_example_of_every_vote_it_can_cast():
    one_sided = {"long_text"}
    shown = {(lf.name, vote) for lf, _, vote in EXAMPLES}
    can_cast = {(lf.name, vote) for lf in spam.LFS for vote in (POSITIVE, NEGATIVE, None)}
    assert can_cast - shown == {(name, NEGATIVE) for name in one_sided}


def test_every_labeling_function_reads_the_text_alone_and_has_its_own_name():
    assert {lf.columns for lf in spam.LFS} == {("text",)}
    assert len({lf.name for lf in spam.LFS}) == len(spam.LFS) >= 10


@pytest.mark.parametrize("lf", spam.LFS, ids=lambda lf: lf.name)
def test_empty_text_gets_no_positive_vote(lf):
    assert lf(SimpleNamespace(text="")) != POSITIVE


@pytest.mark.skipif(
    not YOUTUBE.exists(), reason="no real comments: ../shared/data/text/youtube.parquet is absent"
)
class TestOnYoutubeComments:
    @pytest.fixture(scope="class")
    def votes_and_gold(self, cast_votes):
        table = pq.read_table(YOUTUBE, columns=["text", "gold"])
        return cast_votes(spam.LFS, table["text"].to_pylist()), table["gold"].to_numpy().astype(int)

    def test_labels_beat_majority_vote(self, votes_and_gold, judge):
        majority_vote, labels = judge(*votes_and_gold)
        assert labels >= majority_vote + 0.005
        assert labels >= 0.88

    def test_labels_of_random_halves_do_not_fall_behind_majority_vote(self, votes_and_gold, judge):
        votes, gold = votes_and_gold
        rng = np.random.default_rng(0)
        for half in (rng.permutation(len(gold))[: len(gold) // 2] for _ in range(10)):
            majority_vote, labels = judge(votes[half], gold[half])
            assert labels >= majority_vote - 0.005
