"""Settings refuse what makes no sense, in words, and are the one source of each fact."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from vqclip_nb.latents import FUNCTIONS
from vqclip_nb.settings import KNOBS, PRESETS, Settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(include=[]), "at least one text"),
        (dict(include=["a fox", 3]), "at least one text"),
        (dict(learning_rate=0), "0.001 to 10"),
        (dict(learning_rate=float("nan")), "0.001 to 10"),
        (dict(learning_rate="fast"), "a number from 0.001 to 10"),
        (dict(total_iter=1.5), "whole number"),
        (dict(width=20_000), "16 to 4096"),
        (dict(activation="swish"), "sine, none, relu, leaky relu, tanh, sigmoid, softmax"),
        (dict(seed=-2), "0 to 4294967295"),
        (dict(quantize="yes"), "True or False"),
        (dict(exclude=None), "give a text"),
        (
            dict(attributes=["redd: 1"]),
            "'redd' is not known: did you mean red.* Give a colour .* a size .big, sm",
        ),
        (dict(attributes=["red: 2"]), "not a number from -1 to 1: give it as 'red: 0.5'"),
        (dict(attributes=["red: much"]), "not a number from -1 to 1"),
        (dict(attributes=["red: .5", "a blue"]), "red: 0.5, blue: 1 are of one kind: give one col"),
        (dict(palette=["redd"]), "'redd' is no colour: give six digits as '#1b2a6b', or .* as red"),
        (dict(palette=["#12345"]), "is no colour"),
        (dict(palette=["red"] * 7), "palette has 7 texts: allowed are 6"),
        (dict(palette_weight=-1), "palette_weight=-1 is out of range"),
        (dict(regions=["a cat"]), "is no region: give a place and a prompt, as 'left: a cat'"),
        (dict(regions=["left:"]), "is no region"),
        (dict(regions=["0 0 1: a cat"]), "is no region"),
        (dict(regions=["0 0 .5 2: a cat"]), "give left, top, right, bottom from 0 to 1"),
        (dict(regions=[".5 0 .5 1: a cat"]), "left and top before right and bottom"),
    ],
)
def test_bad_values_say_what_is_allowed(changes, words):
    with pytest.raises(ValueError, match=words) as error:
        Settings(**{"include": "a fox", **changes})
    assert next(iter(changes)) in str(error.value)


def test_unknown_names_offer_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'learning_rate'"):
        Settings(include="a fox").replace(learning_rat=0.1)
    with pytest.raises(ValueError, match="default, report, draft, fine"):
        Settings.preset("fast", include="a fox")


def test_presets_and_knobs_are_sound_and_the_report_has_its_figures():
    s = Settings.preset("report", include="Pineapple in a bowl", exclude="watermark")
    assert (s.learning_rate, s.weight_decay, s.noise_factor) == (0.5, 0.1, 0.22)
    assert (s.total_iter, s.crops, s.show_step, s.show_from) == (400, 30, 10, 80)
    assert (s.alpha, s.beta, s.w1, s.w2) == (1, 0.5, 1, 1)
    assert (s.height, s.width, s.quantize) == (450, 450, False)
    assert (s.activation, s.activation_at, s.crop_method) == ("sine", "start", "report")
    for name in PRESETS:
        Settings.preset(name, include="a fox")
    for f in dataclasses.fields(Settings):
        assert KNOBS[f.name].help, f.name
    assert tuple(FUNCTIONS) == KNOBS["activation"].choices


def test_numpy_paths_and_one_text_are_taken_and_json_brings_all_back():
    s = Settings(include="a fox", learning_rate=1, seed=7, exclude=" snow ")
    assert s.include == ["a fox"] and s.exclude == "snow"
    assert Settings.from_json(s.to_json()) == s
    drawn = [Settings(include="a fox", seed=-1) for _ in range(3)]  # the seed is recorded
    assert len({s.seed for s in drawn}) == 3 and min(s.seed for s in drawn) >= 0
    assert Settings.from_json(drawn[0].to_json()) == drawn[0] == drawn[0].replace(crops=None)
    for text in ("[" * 200_000, "3", "[]", "{"):
        with pytest.raises(ValueError, match="settings must be a JSON object"):
            Settings.from_json(text)
    paths = dict(include=Path("fox.png"), init_image=Path("a") / "b.png")
    numbers = dict(seed=np.int64(7), crops=np.float64(8), quantize=np.bool_(False))
    s = Settings(**paths, **numbers, regions=(f"{Path('mask.png')}: a cat",))
    assert s.include == ["fox.png"] and s.init_image == str(Path("a/b.png"))
    assert (s.seed, s.crops, s.quantize) == (7, 8, False)
    assert Settings.from_json(s.to_json()) == s and type(s.seed) is int
    assert Settings(include=[Path("fox.png"), "a fox"]).include == ["fox.png", "a fox"]
