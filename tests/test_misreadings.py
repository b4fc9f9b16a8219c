"""What prompts are read as: emoji, styles, joined things, weights; and what is said of them."""

import random
import string
import time
from pathlib import Path
from unittest.mock import patch

import pytest

import vqclip_nb
from vqclip_nb.emoji.drawings import describe
from vqclip_nb.emoji.library import Library
from vqclip_nb.reading import describe_substitutions
from vqclip_nb.regions import parse_region


def read_lines(name):
    return Path(__file__).with_name(name).read_text(encoding="utf8").splitlines()


EMOJI = Path(vqclip_nb.__file__).parent / "emoji"
# A prompt, what is drawn of it in the words of `describe`, with its style or medium, and a part of
# what must be said.
READINGS = [line.split(" => ") for line in read_lines("readings.txt")]


def labels(pair, prompt):
    """What the things that a prompt starts from are drawn as, without drawing them."""
    with patch.object(Library, "compose") as compose:
        pair.library.start(pair.read(prompt).scene)
    return [drawing.label for drawing in compose.call_args[0][1]] if compose.called else []


@pytest.mark.parametrize("prompt, drawn, said", [(*row, "")[:3] for row in READINGS])
def test_nothing_asked_for_is_lost_in_silence_or_turned_into_a_thing(pair, prompt, drawn, said):
    reading, found = pair.read(prompt), "nothing"
    if scene := reading.scene:
        found = describe(scene, labels(pair, prompt))
        found += f", as {scene.style}" if scene.style else ""
    assert found == drawn
    assert said in describe_substitutions([reading], from_drawing=True)


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
    assert [thing.name for thing in left.scene.things] == ["cat", "snowy mountains"]
    whole = "on a snowy light blue background above white ground"
    [(_, left)] = pair.read(whole, "", [parse_region("left: a cat")]).regions
    assert left.ending == " on a light blue background above white"
    assert left.background == ("snowy", "light blue", "white ground")


# Drawn by lot from public prompts, by people who had not seen the tables of styles.
@pytest.mark.parametrize("phrases", ["style_phrases.txt", "unseen_style_phrases.txt"])
def test_style_words_are_no_things(pair, phrases):
    phrases = read_lines(phrases)
    objects = [p for p in phrases if labels(pair, f"a fox, {p}") != ["fox"]]
    assert len(objects) <= 0.02 * len(phrases), objects


def test_things_behind_commas_are_things(pair):
    assert not [p for p in read_lines("things_behind_commas.txt") if len(labels(pair, p)) < 2]


PLACES = "Rome|Chicago|Rio de Janeiro|South Africa|Turkey|Hollywood|Middle Earth".split("|")
ARTISTS = "Van Gogh|Beeple|Georgia O'Keeffe|Grant Wood|Paul Signac|Jim Burns|Kay Nielsen".split("|")


def test_names_of_places_and_artists_are_no_things(pair):
    prompts = [f"a fox in {place}" for place in PLACES]
    for artist in ARTISTS:
        prompts += [f"a fox by {artist}", f"a fox, {artist}", f"a fox in the style of {artist}"]
    prompts += [prompt.lower() for prompt in prompts]
    assert not [p for p in prompts if labels(pair, p) != ["fox"]]


@pytest.mark.parametrize(
    "prompt, given",
    {
        "a fox | unreal engine": ["a fox", "a 3d render"],
        "a fox | masterpiece | no people": ["a fox", "", ""],
        "a fox without a hat": ["a fox"],
        "a fox at night": ["a fox on a dark blue background"],
        "a deer at sunset": ["a deer on an orange and purple background"],
        "a cat against a black wall": ["a cat against a black wall"],
        "a cat on a black wall": ["a cat on a black wall"],  # it sits on one
    }.items(),
)
def test_clip_is_given_no_thing_that_was_not_asked_for(pair, prompt, given):
    reading = pair.read(prompt)
    assert [part.clip_text for part in reading.parts] == given
    named = {"night", "against", "sunset"} & {*prompt.split()}
    assert bool(reading.ending) != bool(named)  # no background is added


def test_two_thousand_characters_are_read_at_once(pair):
    pair.read("a fox, quuxx")  # tables are read once
    words = ("a quick brown fxo jumps over " * 70, "masterpiece, a fox, " * 100, "🦊" * 2000)
    words += ("red and blue balloons, " * 87, "a 🦊/a cat " * 180, "," * 2000)
    for text in (*words, f"a fox by {'A' * 1990}!", f"a{' ' * 1998}b", f"{'a ' * 994} data:image/"):
        began = time.process_time()
        pair.read(text[:2000])
        assert time.process_time() - began < 2.0  # 0.6 on a quiet machine


def slip(rng, word):
    """A word with one letter left out, put in or changed, or two swapped."""
    i, letter = rng.randrange(len(word) - 1), rng.choice(string.ascii_lowercase)
    before, own, other, after = word[:i], word[i], word[i + 1], word[i + 2 :]
    middles = (other, letter + own + other, letter + other, other + own)
    return before + rng.choice(middles) + after


def test_one_letter_typos_are_mended_and_common_words_left_alone(pair):
    words, rng = pair.clip.vocabulary, random.Random(583)
    names = sorted(w for w in words.words if len(w) >= 5 and w.isalpha() and w.isascii())
    typos = [(name, slip(rng, name)) for name in rng.choices(names, k=600)]
    began = time.process_time()
    meant = [(n, words._spelling.meant(typo)) for n, typo in typos if typo not in words.words]
    assert len(meant) > 550 and time.process_time() - began < 1.2  # 0.4 on a busy machine
    assert sum(name == found for name, found in meant) >= 0.9 * len(meant)
    wrong = [row for row in meant if row[1] not in (None, row[0])]
    assert len(wrong) <= 0.03 * len(meant), wrong
    common = (EMOJI / "common_words.txt").read_text(encoding="utf8").split()
    assert not [word for word in common if words._spelling.meant(word)]
