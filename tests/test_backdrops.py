"""Places that fill a picture: how they are read, and what stands in front of them."""

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.emoji.caption_words import BACKDROP_NAMES, BACKDROPS, ONLY_ALONE
from vqclip_nb.emoji.scenery import in_its_light


@pytest.fixture
def library(pair):
    return pair.wing.library


def names(library, prompt):
    return [thing.name for thing in library.parse(prompt).things]


def test_no_place_is_without_a_name():
    assert all(name for _, name in BACKDROP_NAMES)


def test_every_place_has_one_drawing_that_covers_the_picture(library):
    drawn = {d.label: d for d in library.drawings if d.style == "noto" and d.label in BACKDROPS}
    assert {*drawn} == BACKDROPS
    for label, drawing in drawn.items():
        assert library.mask(f"noto: {label}").min() == 1, label
        assert library.find(label).drawings == (drawing,), label
    own = [d for d in library.drawings if d.label not in BACKDROPS]
    assert not [d for d in own[:: len(own) // 200] if library.mask(f"{d.style}: {d.label}").min()]


def test_a_place_is_behind_a_thing_by_each_of_its_names(library):
    other = {}
    for (joint, name), label in BACKDROP_NAMES.items():
        other_behind_in = joint == "" and {("any", name), ("in", name)} & {*BACKDROP_NAMES}
        if (joint, name) not in ONLY_ALONE and not other_behind_in:
            prompt = f"a hippo {'in' if joint in ('', 'any') else joint} the {name}"
            found = library.parse(prompt)
            if len(found.things) != 2 or found.things[-1].name != label:
                other[prompt] = [thing.name for thing in found.things]
    assert not other


@pytest.mark.parametrize(
    "prompt, things",
    {
        "a cozy kitchen with a stove": ["stove", "kitchen"],
        "kitchen": ["kitchen"],
        "a cat next to a kitchen knife": ["cat", "kitchen knife"],
        "a red fox in the woods": ["standing fox", "pine forest"],
        "a fox in the snow": ["fox", "snowy mountains"],
        "a hippo in the snow": ["hippo", "snowy mountains"],
        "a hippo in the forest in the fog": ["hippo", "pine forest"],
        "a face in clouds": ["face in clouds"],
        "a post office": ["post office"],
        "a street in Paris": ["paris street"],
        "a hippo on a street in Paris": ["hippo", "paris street"],
        "a black cat playing the piano in the living room": ["cat playing piano", "living room"],
        "a garden gnome": ["gnome"],
        "two cats, a dog and a bird in the park": ["cats", "dog", "bird", "park"],
        "snowy mountains with a lake": ["snowy mountains"],
        "a house with a balcony": ["house"],
        "a garden wall": ["wall"],
        "a road sign in the desert": ["sign", "desert dunes"],
        "a pirate ship in a storm": ["galleon", "stormy sea"],
        "a forest in a bottle": ["evergreen tree", "bottle"],
    }.items(),
)
def test_a_place_is_told_from_what_only_sounds_like_one(library, prompt, things):
    found = names(library, prompt)
    assert [one.removeprefix("standing ") for one in found] == [
        one.removeprefix("standing ") for one in things
    ]


def test_what_is_left_out_for_a_place_is_said(pair, library):
    left_out = library.parse("a cat, a dog, a pig and a bird in the park").left_out
    assert "holds three" in left_out["bird"]
    assert library.parse("a house with a balcony").left_out == {"balcony": "not drawn"}
    with pytest.warns(UserWarning, match="mountains: left out"):
        vq.Run(pair, vq.Settings(include=["a village in the mountains"], total_iter=1))
    with pytest.warns(UserWarning, match="in autumn: not drawn"):
        vq.Run(pair, vq.Settings(include=["a dog in a kitchen in autumn"], total_iter=1))
    with pytest.warns(UserWarning, match="mine: drawn as cave"):
        vq.Run(pair, vq.Settings(include=["a fox in a mine"], total_iter=1))


def test_a_place_covers_pictures_of_any_shape_and_is_dark_at_night(library):
    for size in ((128, 128), (96, 256), (256, 96)):
        day = library.find("a cat in the kitchen", size=size).picture[0]
        edges = torch.cat([day[:, 0], day[:, -1], day[:, :, 0], day[:, :, -1]], 1)
        assert (edges.amin(0) > 0.97).float().mean() < 0.3, size  # no white around it
        night = library.find("a cat in the kitchen at night", size=size).picture[0]
        assert night[:, :24].mean() < 0.6 * day[:, :24].mean(), size


def test_light_and_weather_change_a_place_by_day_only():
    day, night = torch.full((3, 64, 64), 0.7), torch.full((3, 64, 64), 0.2)
    assert torch.equal(in_its_light(day, ()), day)
    assert in_its_light(day, ("starry", "dark blue")).mean() < 0.4
    assert torch.equal(in_its_light(night, ("starry", "dark blue")), night)
    evening = in_its_light(day, ("glowing", "orange", "purple"))
    assert evening[0].mean() > evening[2].mean() + 0.1
    for how in ("polar", "festive"):
        assert in_its_light(night, (how, "dark blue")).max() > 0.6, how
