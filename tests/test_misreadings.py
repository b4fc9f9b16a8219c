"""What prompts are read as: emoji, styles, joined things, weights; and what is said of them."""

import random
import string
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vqclip_nb
from vqclip_nb.emoji.drawings import describe
from vqclip_nb.emoji.library import Library
from vqclip_nb.emoji.vocabulary import Spelling
from vqclip_nb.reading import describe_substitutions
from vqclip_nb.regions import parse_region


def read_lines(name):
    return Path(__file__).with_name(name).read_text(encoding="utf8").splitlines()


EMOJI = Path(vqclip_nb.__file__).parent / "emoji"
# A prompt, what is drawn of it in the words of `describe`, with its style or medium, and a part of
# what must be said.
READINGS = [line.split(" => ") for line in read_lines("readings.txt")]


def only_chosen(library, scene, drawings, **how):
    """In place of `Library.compose`: which drawings, without drawing them."""
    return SimpleNamespace(drawings=drawings)


def drawings(pair, scene):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "compose", only_chosen)
        return pair.library.start(scene).drawings


def things(pair, prompt):
    """(count, colour, label) of what a prompt starts from."""
    scene = pair.read(prompt).scene
    drawn = zip(scene.things, drawings(pair, scene), strict=True) if scene else ()
    return [(thing.count, thing.colour, drawing.label) for thing, drawing in drawn]


def labels(pair, prompt):
    return [label for _, _, label in things(pair, prompt)]


def told(pair, prompt):
    return describe_substitutions([pair.read(prompt)], from_drawing=True)


@pytest.mark.parametrize("prompt, drawn, said", [(*row, "")[:3] for row in READINGS])
def test_nothing_asked_for_is_lost_in_silence_or_turned_into_a_thing(pair, prompt, drawn, said):
    scene = pair.read(prompt).scene
    found = "nothing"
    if scene:
        found = describe(scene, [drawing.label for drawing in drawings(pair, scene)])
        found += f", as {scene.style}" if scene.style else ""
    assert found == drawn
    assert said in told(pair, prompt)


def test_every_emoji_of_the_library_is_drawn_by_its_own_drawing(pair):
    wrong = {}
    for line in (EMOJI / "emoji.txt").read_text(encoding="utf8").splitlines():
        signs, _, rest = line.partition(" ")
        scene = pair.read(f"a {signs}").scene
        [first] = scene.things
        found = next(pair.library.choices(scene)).label
        if found != rest.partition(" = ")[0] or first.colour or first.count > 1:
            wrong[signs] = found
    assert not wrong


def test_a_region_takes_on_the_sky_and_ground_of_the_whole(pair):
    [(_, left)] = pair.read("in the snow", "", [parse_region("left: a cat")]).regions
    assert left.ending == " on a light blue background above white"
    assert left.background == ("snowy", "light blue", "white ground")


# The first: 200 drawn by lot from 1,506 phrases for media, movements, cameras, renderers, artists
# and other looks of public prompt collections, gathered by people who had not seen the tables of
# styles. The other: half of 120 such phrases, drawn by lot before there was a rule for those that
# stand in no table; the rule was made from the other half.
@pytest.mark.parametrize("phrases", ["style_phrases.txt", "unseen_style_phrases.txt"])
def test_style_words_are_no_things(pair, phrases):
    phrases = read_lines(phrases)
    objects = [p for p in phrases if labels(pair, f"a fox, {p}") != ["fox"]]
    assert len(objects) <= 0.02 * len(phrases), objects
    things_behind_commas = read_lines("things_behind_commas.txt")
    assert not [p for p in things_behind_commas if len(labels(pair, p)) < 2]


NAMES_OF_PLACES = (
    "Paris|London|New York City|Tokyo|Rio de Janeiro|Los Angeles|San Francisco|South Africa"
    "|New Zealand|Japan|Russia|Turkey|Africa|Europe|Hollywood|Middle Earth|Tuscany|Patagonia"
).split("|")
NAMES_OF_ARTISTS = (
    "Van Gogh|Beeple|Georgia O'Keeffe|Zdzislaw Beksinski|Bill Watterson|Eric Carle|Grant Wood"
    "|Mary Cassatt|Paul Signac|Jack Kirby|Mike Mignola|Brian Froud|Jim Burns|Kay Nielsen"
).split("|")


def test_names_of_places_and_artists_are_no_things(pair):
    prompts = [f"a fox in {place}" for place in NAMES_OF_PLACES]
    for artist in NAMES_OF_ARTISTS:
        prompts += [f"a fox by {artist}", f"a fox, {artist}", f"a fox in the style of {artist}"]
    prompts += [prompt.lower() for prompt in prompts]
    objects = [p for p in prompts if labels(pair, p) != ["fox"]]
    assert not objects


@pytest.mark.parametrize(
    "prompt, given",
    {
        "a fox | unreal engine": ["a fox", "a 3d render"],
        "a fox | masterpiece | no people": ["a fox", "", ""],
        "a fox without a hat": ["a fox"],
        "a fox at night": ["a fox on a dark blue background"],
        "a cat against a black wall": ["a cat against a black wall"],
        "a cat on a black wall": ["a cat on a black wall"],  # it sits on one
    }.items(),
)
def test_clip_is_given_no_thing_that_was_not_asked_for(pair, prompt, given):
    reading = pair.read(prompt)
    assert [part.clip_text for part in reading.parts] == given
    own = ("night", "against")  # else the pair's background
    assert any(word in prompt for word in own) == (reading.ending == "")


def test_two_thousand_characters_are_read_at_once(pair):
    pair.read("a fox, quuxx")  # tables are read once
    words = ("a quick brown fxo jumps over " * 70, "masterpiece, a fox, " * 100, "a fox " * 334)
    for text in (
        *words,
        "🦊" * 2000,
        "red and blue balloons, " * 87,
        "a 🦊/a cat " * 180,
        "," * 2000,
        f"a fox by {'A' * 1990}!",
        f"a{' ' * 1998}b",
        f"{'a ' * 994} data:image/",
    ):
        began = time.process_time()
        pair.read(text[:2000])
        assert time.process_time() - began < 1.0  # 0.3 on a quiet machine


NAMES = ["fox", "owl", "cat", "dog", "pineapple", "rocket", "lighthouse", "🦊", "🍕", "🚀"]
LABEL = {"🦊": "fox", "🍕": "pizza", "🚀": "rocket"}
ONE = st.tuples(
    st.sampled_from(["a", "two", "three"]),
    st.sampled_from(["", "red", "dark blue"]),
    st.sampled_from(NAMES),
)
JOIN = st.sampled_from(
    [" and ", ", ", " | ", ":2 | ", ":.5|", " | and ", " & ", " / ", ". ", " next to ", " with "]
)


UNKNOWN = ["quuxx", "blorfle", "angry", "sleepy"]  # CLIP knows the last two
LOOK = st.sampled_from(
    ["", ", masterpiece", ", oil painting", ", low poly, film grain", ", by greg rutkowski", ", 8k"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, min_size=1, max_size=3), st.sampled_from(UNKNOWN), st.integers(0, 2), LOOK)
def test_looks_and_unknown_words_are_said_and_never_drawn(pair, asked, unknown, at, look):
    parts = [" ".join(filter(None, one)) for one in asked]
    parts.insert(at, f"a {unknown}")
    prompt = " and ".join(parts) + look
    assert [name for _, _, name in things(pair, prompt)] == [
        LABEL.get(name, name) for _, _, name in asked
    ], prompt
    assert unknown in told(pair, prompt), prompt


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ONE, min_size=1, max_size=4),
    st.lists(JOIN, min_size=3, max_size=3),
    st.sampled_from(["", " | a lemon:-1"]),
)
def test_what_is_drawn_and_what_is_said_to_be_left_out_is_what_was_asked(
    pair, asked, joins, pushed
):
    prompt, joins = "", joins[: len(asked) - 1]
    for (count, colour, name), join in zip(asked, [*joins, pushed], strict=True):
        prompt += " ".join(filter(None, (count, colour, name))) + join
    weights = [2 if ":2" in join else 0.5 if ":.5" in join else 1 for join in joins if "|" in join]
    reading = pair.read(prompt)
    assert [part.weight for part in reading.parts] == [*weights, 1] + [-1] * bool(pushed), prompt
    counts = {"a": 1, "two": 2, "three": 3}
    wanted = [(counts[n], colour, LABEL.get(name, name)) for n, colour, name in asked]
    assert things(pair, prompt) == wanted[:3], prompt
    left_out = [LABEL.get(word, word) for word in reading.not_drawn]
    assert left_out == [*dict.fromkeys(name for _, _, name in wanted[3:])], prompt


def slip(rng, word):
    """A word with one letter left out, put in or changed, or two swapped."""
    i, letter = rng.randrange(len(word) - 1), rng.choice(string.ascii_lowercase)
    before, own, other, after = word[:i], word[i], word[i + 1], word[i + 2 :]
    middles = (other, letter + own + other, letter + other, other + own)
    return before + rng.choice(middles) + after


def test_one_letter_typos_are_mended_and_common_words_left_alone(pair):
    words = pair.clip.vocabulary
    spelling, rng = words._spelling, random.Random(583)
    names = sorted(w for w in words.words if len(w) >= 5 and w.isalpha() and w.isascii())
    typos = []
    while len(typos) < 583:
        name = rng.choice(names)
        typo = slip(rng, name)
        if typo not in words.words:
            typos.append((name, typo))
    began = time.process_time()
    assert Spelling(words.words, frozenset()).meant("ocotpus") == "octopus"  # the first one
    meant = [(name, typo, spelling.meant(typo)) for name, typo in typos]
    assert time.process_time() - began < 583 * 0.002  # 0.0006 on a busy machine
    assert sum(name == found for name, _, found in meant) >= 524
    wrong = [row for row in meant if row[2] not in (None, row[0])]
    assert len(wrong) <= 17, wrong
    common = (EMOJI / "common_words.txt").read_text(encoding="utf8").split()
    assert not [word for word in common if spelling.meant(word)]
