"""Places that fill a picture: how they are read, what stands before them; and sky and ground."""

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.emoji.caption_words import BACKDROP_NAMES, BACKDROPS, ONLY_ALONE
from vqclip_nb.emoji.layers import nearest_colour
from vqclip_nb.emoji.scenery import in_its_light


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
            found = [thing.name for thing in library.parse(prompt).things]
            if len(found) != 2 or found[-1] != label:
                other[prompt] = found
    assert not other


@pytest.mark.parametrize(
    "prompt, things",
    {
        "a cozy kitchen with a stove": ["stove", "kitchen"],
        "kitchen": ["kitchen"],
        "a cat next to a kitchen knife": ["cat", "kitchen knife"],
        "a red fox in the woods": ["fox", "pine forest"],
        "a fox in the snow": ["fox", "snowy mountains"],
        "a hippo in the snow": ["hippo", "snowy mountains"],
        "a hippo in the forest in the fog": ["hippo", "foggy forest"],
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
    found = [thing.name.removeprefix("standing ") for thing in library.parse(prompt).things]
    assert found == things


def test_what_is_left_out_for_a_place_is_said(pair, library):
    left_out = library.parse("a cat, a dog, a pig and a bird in the park").left_out
    assert "holds three" in left_out["bird"]
    assert library.parse("a house with a balcony").left_out == {"balcony": "not drawn"}
    for prompt, told in {
        "a village in the mountains": "mountains: left out",
        "a dog in a kitchen in autumn": "in autumn: not drawn",
        "a fox in a mine": "mine: drawn as cave",
    }.items():
        with pytest.warns(UserWarning, match=told):
            vq.Run(pair, vq.Settings(include=[prompt], total_iter=1))


def test_a_place_covers_pictures_of_any_shape_and_is_dark_at_night(library):
    for size in ((128, 128), (96, 256), (256, 96)):
        day = library.find("a cat in the kitchen", size=size).picture[0]
        edges = torch.cat([day[:, 0], day[:, -1], day[:, :, 0], day[:, :, -1]], 1)
        assert (edges.amin(0) > 0.97).float().mean() < 0.3, size  # no white around it
        night = library.find("a cat in the kitchen at night", size=size).picture[0]
        assert night[:, :24].mean() < 0.75 * day[:, :24].mean(), size


def test_light_and_weather_change_a_place_by_day_only():
    day, night = torch.full((3, 64, 64), 0.7), torch.full((3, 64, 64), 0.2)
    assert torch.equal(in_its_light(day, ()), day)
    by_night = ("starry", "dark blue")
    assert in_its_light(day, by_night).mean() < 0.45
    day[0, :32], day[2, :32] = 0.5, 0.95  # a sky
    assert in_its_light(day, by_night)[:, :32].mean() < 0.3  # with a moon
    assert in_its_light(day, by_night)[0].max() > 0.9 > in_its_light(day, by_night, "kitchen").max()
    assert torch.equal(in_its_light(night, by_night), night)
    evening = in_its_light(day, ("glowing", "orange", "purple"))
    assert evening[0].mean() > evening[2].mean() + 0.1
    for how in ("polar", "festive"):
        assert in_its_light(night, (how, "dark blue")).max() > 0.6, how


def test_sky_ground_and_weather_are_seen(library):
    for text, above, below in (
        ("a cow on a light blue background above light green ground", "light blue", "light green"),
        ("a ferry at night", "dark blue", "blue"),
        ("a boat at sunset", "purple", "blue"),
    ):
        picture = library.find(text, size=(96, 128)).picture[0]
        for corner, colour in ((picture[:, 0, 0], above), (picture[:, -1, 0], below)):
            assert nearest_colour(corner) == colour

    def picture(text):
        return library.find(text, size=(128, 128)).picture[0]

    day, night = (picture(f"a fox on a {tone} blue background") for tone in ("light", "dark"))
    stars = picture("a fox on a starry dark blue background") - night
    assert stars.min() > -0.05 and 0.005 < (stars > 0.1).float().mean() < 0.3  # they shine
    for weather in ("snowy", "rainy"):
        changed = (picture(f"a fox on a {weather} light blue background") - day).abs().amax(0) > 0.1
        assert 0.02 < changed.float().mean() < 0.3, weather
    fog, clear = picture("a fox in the fog"), picture("a fox on a light gray background")
    assert fog.std() < 0.7 * clear.std()


def test_a_setting_sun_is_half_below_the_horizon(library):
    picture = library.find("a sun at sunset", size=(256, 256)).picture[0]
    yellow = (picture[0] > 0.8) & (picture[1] > 0.6) & (picture[2] < 0.5)
    rows = yellow[:, 100:156].any(1).nonzero()[:, 0]
    assert rows.min() < 0.6 * 256 and 0.6 * 256 < rows.max() < 0.72 * 256
    behind = library.find("a deer at sunset", size=(256, 256)).picture[0, :, 100:180, 40:80]
    assert ((behind[1] > 0.75) & (behind[2] < 0.5)).any()


def test_northern_lights_are_green_curtains_and_a_rainbow_thing_has_all_colours(library):
    sky = library.find("a fox under the northern lights", size=(256, 256)).picture[0]
    assert ((sky[1] > sky[0] + 0.2) & (sky[1] > sky[2] + 0.1))[:128].float().mean() > 0.04
    cat = library.find("a rainbow cat").picture[0]
    seen = {nearest_colour(cat[:, y, x]) for x in range(0, 128, 4) for y in range(0, 128, 4)}
    assert {"red", "yellow", "green"} <= seen and library.parse("a rainbow").things[0].colour == ""
