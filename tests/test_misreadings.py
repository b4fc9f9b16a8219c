"""What prompts are read as: emoji, styles, joined things, weights; and what is said of them."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vqclip_nb
from vqclip_nb.emoji.spelling import distance
from vqclip_nb.reading import describe_substitutions, parse_prompt

EMOJI = Path(vqclip_nb.__file__).parent / "emoji"


def things(pair, prompt):
    """(count, colour, label) of what a prompt starts from."""
    scene = pair.read(prompt).scene
    if scene is None:
        return []
    drawings = pair.library.start(scene, height=64, width=64).drawings
    return [(t.count, t.colour, d.label) for t, d in zip(scene.things, drawings, strict=True)]


def labels(pair, prompt):
    return [label for _, _, label in things(pair, prompt)]


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


@pytest.mark.parametrize(
    "prompt, drawn",
    {
        "❤️": ["red heart"],
        "👋🏿": ["waving hand"],
        "☀": ["sun"],
        "👩‍🚀": ["astronaut"],
        "👨🏽‍⚕️": ["doctor"],
        "a 🦊 and a 🐱": ["fox", "cat face"],
        "🦊🐱": ["fox", "cat face"],
        "a fox 🦊": ["fox"],
        "1️⃣ 🇫🇷": [],
        "a cat | a dog": ["cat", "dog"],
        "a fox:2 | an owl:1": ["fox", "owl"],
        "a fox:2 | an owl:-1": ["fox"],
        "fox & cat": ["fox", "cat"],
        "fox/cat": ["fox", "cat"],
        "fox + cat": ["fox", "cat"],
        "a fox. a cat.": ["fox", "cat"],
        "an elephnat": ["elephant"],
        "an ocotpus": ["octopus"],
        "leaning": [],
        "an owl by Greg Rutkowski": ["owl"],
        "an owl by van gogh": ["owl"],
    }.items(),
)
def test_what_is_drawn(pair, prompt, drawn):
    assert labels(pair, prompt) == drawn


def test_counts_are_drawn_and_described(pair):
    assert things(pair, "two cats and three dogs") == [(2, "", "cat"), (3, "", "dog")]
    one, two = (
        pair.library.find(text, height=64, width=128).picture
        for text in ("a cat and a dog", "a cat and two dogs")
    )
    assert (one - two).abs().mean() > 0.01


STYLES = [
    phrase
    for line in (EMOJI / "styles.txt").read_text(encoding="utf8").splitlines()
    for phrase in line.partition(": ")[2].split(", ")[:60]
]
# Prompts of public collections put several of them in a row, and in the middle.
MORE = (
    "photo taken with Nikon D750|highly detailed, 8k, sharp focus|by greg rutkowski and artgerm"
    "|in the style of Studio Ghibli|oil on canvas, masterpiece|shot on 35mm film, f/1.8, bokeh"
    "|cinematic lighting, volumetric fog, trending on artstation|art by alphonse mucha"
).split("|")


def test_style_words_are_no_things(pair):
    assert len(STYLES + MORE) >= 200
    objects = [p for p in STYLES + MORE if labels(pair, f"a fox, {p}") != ["fox"]]
    assert len(objects) <= 0.02 * len(STYLES + MORE), objects
    inside = [
        "a low poly fox",
        "an oil on canvas of a fox",
        "a fox in watercolor",
        "unreal engine fox",
    ]
    assert [labels(pair, prompt) for prompt in inside] == [["fox"]] * 4


@pytest.mark.parametrize(
    "phrase, style",
    {
        "unreal engine": "3d",
        "pencil sketch": "line",
        "vector art": "flat",
        "manga": "comic",
    }.items(),
)
def test_the_nearest_style_is_used_and_said(pair, phrase, style):
    reading = pair.read(f"a fox, {phrase}")
    assert reading.scene.style == style and phrase in describe_substitutions([reading])


def test_what_is_only_a_style_is_said_to_be_left_out(pair):
    assert "masterpiece: not known" in describe_substitutions([pair.read("a fox, masterpiece")])


@pytest.mark.parametrize(
    "prompt",
    "a fox:1:-0.5|a dog:3:10|a fox 16:9|a fox --ar 16:9|a fox::2 snow::1|a (red:1.4) fox".split(
        "|"
    ),
)
def test_forms_of_other_tools_are_refused_with_the_right_one(prompt):
    with pytest.raises(ValueError, match="is not read here: .*(a fox:2|height and width)"):
        parse_prompt(prompt)


def test_a_night_is_on_no_white_background(pair):
    reading = pair.read("a fox at night")
    assert reading.ending == "" and reading.caption.endswith("on a dark blue background")


def test_more_than_two_things_are_said_to_be_left_out(pair):
    reading = pair.read("a fox, a cat and a lighthouse")
    told = describe_substitutions([reading], from_drawing=True)
    assert "lighthouse: not drawn" in told and "lighthouse: drawn" not in told


def test_two_thousand_characters_are_read_at_once(pair):
    pair.read("a fox, quuxx")  # tables are read once
    for text in ("🦊" * 800, "a quick brown fxo jumps over " * 70, "masterpiece, a fox, " * 100):
        began = time.process_time()
        pair.read(text[:2000])
        assert time.process_time() - began < 0.5  # 0.2 on a quiet machine


def test_distance_counts_swapped_neighbours_once():
    assert [distance("abc", w) for w in ("abc", "acb", "ab", "abcd", "xbc", "cab")] == [
        0, 1, 1, 1, 1, 2,
    ]  # fmt: skip


NAMES = ["fox", "owl", "cat", "dog", "pineapple", "rocket", "lighthouse", "🦊", "🍕", "🚀"]
LABEL = {"🦊": "fox", "🍕": "pizza", "🚀": "rocket"}
ONE = st.tuples(
    st.sampled_from(["a", "two", "three"]),
    st.sampled_from(["", "red", "dark blue"]),
    st.sampled_from(NAMES),
)
JOIN = st.sampled_from([" and ", ", ", " | ", ":2 | ", " & ", ". ", " next to ", " with "])


@settings(max_examples=150, deadline=None)
@given(st.lists(ONE, min_size=1, max_size=4), st.lists(JOIN, min_size=3, max_size=3))
def test_what_is_drawn_and_what_is_said_to_be_left_out_is_what_was_asked(pair, asked, joins):
    prompt = ""
    for i, (count, colour, name) in enumerate(asked):
        words = " ".join(filter(None, (count, colour, name)))
        prompt += words + (joins[i] if i + 1 < len(asked) else "")
    reading = pair.read(prompt)
    counts = {"a": 1, "two": 2, "three": 3}
    wanted = [(counts[n], colour, LABEL.get(name, name)) for n, colour, name in asked]
    assert things(pair, prompt) == wanted[:2], prompt
    assert [LABEL.get(word, word) for word in reading.not_drawn] == [w[2] for w in wanted[2:]]
