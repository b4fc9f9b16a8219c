"""Words a pair does not know: what is painted for them, and how that is said."""

import pytest

from vqclip_nb.emoji.vocabulary import Vocabulary
from vqclip_nb.reading import describe_substitutions, read_prompt


@pytest.fixture
def words(tmp_path) -> Vocabulary:
    table = tmp_path / "words.txt"
    table.write_text(
        "in the snow = below a cloud\na portrait of =\ntower: lighthouse, water tower\n"
    )
    known = frozenset("a fox tower cloud below red pineapple box the".split())
    return Vocabulary.read(known, table)


@pytest.fixture(scope="module")
def shipped(pair) -> Vocabulary:
    return pair.clip.vocabulary


def read(words, text):
    """What CLIP is given of a text, what was replaced, and that for people."""
    reading = read_prompt(text, words)
    return reading.parts[0].clip_text, reading.substitutions, describe_substitutions([reading])


def test_an_unknown_word_is_painted_as_the_nearest_and_said(words):
    found = read(words, "two Lighthouses, a fox")
    assert found[0] == "two tower a fox" and found[1] == {"lighthouses": "tower", "two": None}
    assert found[2] == "lighthouses: painted as tower; two: not known"


def test_a_phrase_goes_before_its_words(words):
    assert read(words, "a red water tower")[0] == "a red tower"
    painted, replaced, told = read(words, "A portrait of a fox in the snow")
    assert painted == "a fox below a cloud"
    assert replaced == {"a portrait of": "", "in the snow": "below a cloud"}
    assert "a portrait of: left out" in told


def test_known_words_and_their_plurals_are_not_replaced(words):
    for text in ("a red fox", "the box below"):
        assert read(words, text) == (text, {}, "")
    assert read(words, "foxes") == ("fox", {}, "")
    assert read(words, "The boxes, below.") == ("The box below.", {}, "")


def test_what_has_no_near_word_is_named(words):
    painted, replaced, told = read(words, "a quux and a lighthouse")
    assert replaced["quux"] is None and "quux: not known" in told
    assert read(words, "a lighthouse")[0] and not read(words, "the quux")[0]


def test_a_clip_without_a_vocabulary_gets_the_text_as_it_is():
    assert read(None, "a quux 🍍") == ("a quux 🍍", {}, "")


@pytest.mark.parametrize(
    "word, things",
    {
        "sofa": ["couch and lamp"],
        "motorbike": ["motorcycle"],
        "lighthouse": ["Tokyo tower"],
        "spaceship": ["rocket", "flying saucer"],
        "woman": ["smiling face with smiling eyes"],
        "king": ["crown"],
        "ocean": ["water wave"],
        "igloo": ["hut", "house", "tent"],
        "toucan": ["bird", "parrot"],
        "labrador": ["dog", "guide dog", "service dog"],
        "sports car": ["racing car", "automobile"],
    }.items(),
)
def test_the_shipped_table_means_what_people_mean(shipped, word, things):
    assert shipped.nearest_known(word) in things
