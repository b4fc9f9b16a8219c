"""Prompts: weights, pictures, too many words, unknown words."""

import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.prompts import create_encodings, encode_prompt
from vqclip_nb.reading import describe_substitutions, parse_prompt, read_prompt


def test_weights_and_parts():
    assert parse_prompt("a fox:2 | snow:-.5|night") == [("a fox", 2), ("snow", -0.5), ("night", 1)]
    assert parse_prompt("a boeing 747:2") == [("a boeing 747", 2)]
    assert parse_prompt("a fox 2:1.0") == [("a fox 2", 1)]  # as a run writes parts down
    words = "a fox;time 12:30 pm;a clock at 10:30:;ratio: none;a sale: 50% off;an [old] fox: red"
    for prompt in words.split(";"):  # some look like weights, or like forms of other tools
        assert parse_prompt(prompt) == [(prompt, 1)]
    for prompt in ("", " | ", "a fox:0", ":2"):
        with pytest.raises(ValueError, match="nothing in it has a weight"):
            parse_prompt(prompt)


FOREIGN = {  # forms of other tools, by what is said instead
    "height and width": "a 16:9 fox;16:9, a fox in snow;2:1;a fox 3:2.;a fox 16:9;a fox --ar 16:9",
    "a fox:2": "fox:50%;a fox: 50 %;a fox:50%, snow;fox:2:;a fox:1:-0.5;a dog:3:10;"
    "a fox::2 snow::1;a (red:1.4) fox;a fox:2, snow;a fox:1.5, an owl:0.5;fox:3 owl:1;🦊:2 🌲:1",
    "write out one of the words": "[cat:dog:0.5];a [cat:dog:10] in snow;a {red|blue} bird;"
    "[a cat|a dog] in a house",
}


@pytest.mark.parametrize(
    "prompt, instead", [(p, instead) for instead, row in FOREIGN.items() for p in row.split(";")]
)
def test_forms_of_other_tools_are_refused_with_the_right_one(prompt, instead):
    with pytest.raises(ValueError, match=f"not read here: .*{instead}"):
        parse_prompt(prompt)


def test_a_part_may_be_pushed_away_as_much_as_another_draws(pair):
    fox, snow = (encode_prompt(pair.clip, text) for text in ("a fox", "snow"))
    apart = encode_prompt(pair.clip, "a fox | snow:-1")
    torch.testing.assert_close(apart, (fox - snow) / 2)
    mix = encode_prompt(pair.clip, "a fox:3 | snow")
    torch.testing.assert_close(mix, (3 * fox + snow) / 4)
    with pytest.raises(ValueError, match="its parts cancel each other"):
        encode_prompt(pair.clip, "a fox | a fox:-1")


def test_a_picture_can_be_a_prompt(pair, tmp_path):
    Image.new("RGB", (90, 40), "red").save(tmp_path / "red.jpg")
    Image.new("RGB", (40, 90), "blue").save(tmp_path / "blue.png")
    red, blue = (encode_prompt(pair.clip, str(tmp_path / f)) for f in ("red.jpg", "blue.png"))
    words = {c: encode_prompt(pair.clip, f"a {c} background") for c in ("red", "blue")}
    similarity = torch.cosine_similarity
    assert similarity(red, words["red"]) > similarity(red, words["blue"])
    assert similarity(blue, words["blue"]) > similarity(blue, words["red"])
    with pytest.raises(FileNotFoundError, match="gone.png"):
        encode_prompt(pair.clip, str(tmp_path / "gone.png"))


def test_a_prompt_without_a_background_gets_the_pairs_own(pair):
    def include(text, **more):
        return create_encodings(pair, vq.Settings(include=[text], **more)).include[0]

    plain = encode_prompt(pair.clip, "a fox on a white background")
    assert torch.equal(include("a fox"), plain)
    assert not torch.equal(include("a fox", extras="a red background"), plain)
    for own in ("a fox on a blue Backdrop", "a fox on black"):
        assert torch.equal(include(own), encode_prompt(pair.clip, own))
    assert not pair.read("a fox in a kitchen").ending  # a place is behind it


def test_words_beyond_clips_context_are_named(pair):
    with pytest.warns(UserWarning, match="too long.*'violin zebra'"):
        pair.clip.encode_text(["fox " * (pair.clip.context_length - 2) + "violin zebra"])


NEAR = {
    "sofa": ["couch and lamp"],
    "spaceship": ["rocket", "flying saucer"],
    "igloo": ["hut", "house", "tent"],
    "toucan": ["bird", "parrot"],
    "sports car": ["racing car", "automobile"],
}


def test_unknown_words_come_with_near_ones_and_emoji_are_known(pair):
    assert vq.unknown_words(pair, "a pineapple next to foxes:2 | an octopus on red") == {}
    found = vq.unknown_words(pair, "a pineaple in a lighthouse of quux")
    assert found == {"pineaple": "pineapple", "lighthouse": found["lighthouse"], "quux": None}
    assert found["lighthouse"] in ("Tokyo tower", "tower")
    for word, things in NEAR.items():
        assert pair.clip.vocabulary.nearest_known(word) in things
    assert vq.unknown_words(pair, "a 🍍 next to 🌋☀️") == {}
    for clip in (pair.clip, vq.load_judge("emoji", device="cpu")):
        assert torch.equal(encode_prompt(clip, "a 🍍️"), encode_prompt(clip, "a pineapple"))


def test_what_clip_is_given_of_other_words_and_how_that_is_said(pair):
    reading = pair.read("two Lighthouses, a portrait of a fox and a quux")
    assert [part.clip_text for part in reading.parts] == ["two Tokyo tower a fox and a quux"]
    for words in ("lighthouses: painted as Tokyo tower", "a portrait of: left out"):
        assert words in describe_substitutions([reading])
    published = read_prompt("a quux 🍍", None)  # a CLIP without a vocabulary of its own
    assert published.parts[0].clip_text == "a quux 🍍" and not published.substitutions


def test_what_is_drawn_although_clip_does_not_know_it_is_said(pair):
    drawn = vq.Settings(include=["a comic of a lighthouse"], start="library")
    with pytest.warns(UserWarning) as told:
        create_encodings(pair, drawn)
    said = str(told[0].message)
    assert "lighthouse: drawn, CLIP reads Tokyo tower" in said
    assert "a comic of: drawn, CLIP reads a cartoon of" in said
    with pytest.warns(UserWarning, match="lighthouse: painted as Tokyo tower"):
        create_encodings(pair, drawn.replace(start="noise"))


def test_unknown_words_have_no_part_in_it_and_what_is_avoided_no_stand_in(pair):
    def encode(**texts):
        with pytest.warns(UserWarning, match="quuxes: not known"):
            return create_encodings(pair, vq.Settings(**texts))

    fox = create_encodings(pair, vq.Settings(include=["a fox"]))
    with_exclude = encode(include=["a fox"], exclude="quuxes", extras="of the quuxes")
    assert with_exclude.exclude is None and with_exclude.extras is None
    assert torch.equal(encode(include=["a fox | quuxes:2"]).include[0], fox.include[0])
    for nothing in ("a quux", "水印", "the"):
        with pytest.raises(ValueError, match=f"{nothing}.*knows none of its words"):
            encode_prompt(pair.clip, nothing)
    with pytest.warns(UserWarning, match="watermark: not known"):
        found = create_encodings(pair, vq.Settings(include=["a fox"], exclude="watermark"))
    assert found.exclude is None
    with pytest.warns(UserWarning, match="lighthouse: painted as"):
        assert create_encodings(pair, vq.Settings(include=["a lighthouse"])).include
