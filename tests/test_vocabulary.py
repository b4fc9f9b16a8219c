"""Words a pair does not know: what is painted for them, and how that is said."""

from pathlib import Path

import pytest

import vqclip_nb
from vqclip_nb.vocabulary import (
    Vocabulary,
    describe_unknown,
    says_something,
    singulars,
    substitute,
    unknown_words,
)

TABLE = Path(vqclip_nb.__file__).parent / "emoji" / "words.txt"


class Reader:
    """Whoever reads: a closed list of words, or none."""

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        self.vocabulary = vocabulary


@pytest.fixture
def reader(tmp_path) -> Reader:
    table = tmp_path / "words.txt"
    table.write_text(
        "in the snow = below a cloud\na portrait of =\ntower: lighthouse, water tower\n"
    )
    words = frozenset("a fox tower cloud below red pineapple box the".split())
    return Reader(Vocabulary.read(words, table))


@pytest.fixture(scope="module")
def shipped(pair) -> Reader:
    return Reader(pair.clip.vocabulary)


def test_an_unknown_word_is_painted_as_the_nearest_and_said(reader):
    painted, said = substitute(reader, "two Lighthouses, a fox")
    assert painted == "two tower a fox" and said == {"lighthouses": "tower"}
    assert describe_unknown(said) == "lighthouses: painted as tower"


def test_a_phrase_goes_before_its_words(reader):
    assert substitute(reader, "a red water tower")[0] == "a red tower"
    painted, said = substitute(reader, "A portrait of a fox in the snow")
    assert painted == "a fox below a cloud"
    assert said == {"a portrait of": "", "in the snow": "below a cloud"}
    assert "a portrait of: painted as nothing" in describe_unknown(said)


def test_known_words_stay_as_they_are(reader):
    for text in ("a red fox", "the box below"):
        assert substitute(reader, text) == (text, {})
        assert unknown_words(reader, text) == {}


def test_a_plural_is_known_and_read_as_the_word_that_was_learned(reader):
    assert substitute(reader, "foxes") == ("fox", {})
    assert substitute(reader, "The boxes, below.") == ("The box below.", {})
    assert not unknown_words(reader, "two foxes") or "foxes" not in unknown_words(
        reader, "two foxes"
    )


def test_what_has_no_near_word_is_named(reader):
    strange = unknown_words(reader, "a quux and a lighthouse")
    assert strange == {"lighthouse": "tower", "quux": None}
    assert "quux: not known" in describe_unknown(strange)
    assert says_something(reader, "a lighthouse") and not says_something(reader, "the quux")


def test_a_reader_of_any_words_gets_them_as_they_are():
    reader = Reader(None)
    assert substitute(reader, "a quux 🍍") == ("a quux 🍍", {})
    assert unknown_words(reader, "quux") == {} and says_something(reader, "quux")


def test_emoji_are_read_by_their_names(reader):
    assert substitute(reader, "a 🍍️")[0] == "a pineapple"
    assert unknown_words(reader, "a 🍍️") == {}


def test_singulars():
    assert "berry" in singulars("berries") and "leaf" in singulars("leaves")
    assert "box" in singulars("boxes") and list(singulars("glass")) == []


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
    assert shipped.vocabulary.nearest_known(word) in things


def test_the_shipped_table_is_large_enough_and_small_enough():
    assert TABLE.stat().st_size < 1_000_000
    assert len(Vocabulary.read(frozenset(), TABLE).nearest) > 17_000


@pytest.mark.parametrize(
    "prompt",
    "a portrait of a woman|a spaceship|sunset over the ocean|happy birthday|abstract art"
    "|the Eiffel tower|cyberpunk city at night|mountain lake".split("|"),
)
def test_everyday_prompts_have_words_to_paint(shipped, prompt):
    painted, _ = substitute(shipped, prompt)
    assert says_something(shipped, prompt) and painted
    left = [w for w, thing in unknown_words(shipped, prompt).items() if thing is None]
    assert left == []
