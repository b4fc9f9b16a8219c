"""Attributes, palette and style picture: the picture takes them on, as far as asked; bad ones are
refused at once."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import vqclip_nb as vq
from training.eval_attributes import share_near
from vqclip_nb.attributes import parse_attribute
from vqclip_nb.images import to_tensor
from vqclip_nb.objectives import Step, palette, style
from vqclip_nb.palettes import parse_colour, recolour
from vqclip_nb.prompts import encode_reading


def begun(pair, **asked):
    """A run from a drawing of the library; keywords change that."""
    usual = dict(include="a fox", start="library", height=128, width=128, total_iter=15, crops=4)
    return vq.Run(pair, vq.Settings(**{**usual, **asked}))


def painted(pair, **asked):
    run = begun(pair, **asked)
    list(run)
    return run


@pytest.fixture(scope="module")
def fox(pair):
    return painted(pair)


def thing(image):
    """Pixels of what is painted on white, (n, 3) in [0, 1]."""
    pixels = np.asarray(image, float).reshape(-1, 3) / 255
    return pixels[pixels.min(1) < 0.8]


@torch.no_grad()
def loss(objective, picture):
    """An objective of the picture alone."""
    nothing = torch.zeros(1)
    return float(objective(Step(nothing, nothing, picture, nothing, nothing)))


@pytest.mark.parametrize(
    "asked, message",
    [
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
    ],
)
def test_what_is_none_is_refused_and_says_what_is(asked, message):
    with pytest.raises(ValueError, match=message):
        vq.Settings(include=["a fox"], **asked)


@pytest.mark.parametrize(
    "attribute, text, said",
    [
        ("red", "a fox", "a red fox"),
        ("orange", "a fox on a blue background", "an orange fox on a blue background"),
        ("blue", "an owl", "a blue owl"),
        ("big", "the moon", "the big moon"),
        ("green", "fire", "green fire"),
        ("red", "a sticker of a fox", "a sticker of a red fox"),
        ("a line drawing", "a fox", "a line drawing of a fox"),
        ("oil painting: .5", "a fox", "an oil painting of a fox"),
    ],
)
def test_an_attribute_in_words(attribute, text, said):
    assert parse_attribute(attribute).said_of(text) == said


def test_full_strength_reads_as_the_words_and_none_as_the_prompt(pair):
    plain, red = (encode_reading(pair.clip, pair.read(text)) for text in ("a fox", "a red fox"))
    for strength in (0, 0.25, 1, -1):
        found = encode_reading(pair.clip, pair.read("a fox"), [parse_attribute(f"red: {strength}")])
        assert torch.allclose(found, plain + strength * (red - plain), atol=1e-5)


def test_a_colour_is_taken_on_as_far_as_asked(pair, fox):
    blues = []
    for run in (fox, *(painted(pair, attributes=[f"blue: {strength}"]) for strength in (0.5, 1))):
        pixels = thing(run.image)
        blues.append((pixels[:, 2] - pixels[:, 0]).mean())
    assert blues[0] < blues[1] - 0.3 < blues[2] - 0.6


def test_a_size_is_taken_on_as_far_as_asked(pair):
    sizes = ["small: 1", "big: 0", "big: 1"]
    drawn = [len(thing(painted(pair, include="a car", attributes=[s]).image)) for s in sizes]
    assert all(a * 1.15 < b for a, b in zip(drawn, drawn[1:], strict=False))


def test_a_style_chooses_the_drawing_from_half_its_strength_on(pair):
    for strength, is_line in ((0.4, False), (0.5, True)):
        run = begun(pair, attributes=[f"line drawing: {strength}"])
        assert (run.start.drawings[0].style == "line") == is_line


def test_recolouring_uses_every_colour_and_no_other():
    picture = Image.new("RGB", (32, 32), "white")
    ImageDraw.Draw(picture).rectangle((4, 4, 20, 20), fill=(230, 40, 20))
    ImageDraw.Draw(picture).rectangle((8, 8, 12, 12), fill=(20, 20, 20))
    colours = [parse_colour(c) for c in ("navy", "gold", "#ffffff")]
    pixels = recolour(to_tensor(picture), colours)[0].permute(1, 2, 0)
    for place, colour in (((0, 0), 2), ((5, 5), 1), ((10, 10), 0)):
        assert np.allclose(pixels[place], colours[colour], atol=0.02)
    white = torch.ones(1, 3, 8, 8)  # a picture of fewer colours keeps to the palette too
    assert torch.allclose(recolour(white, colours), white, atol=0.01)
    half = torch.cat([white[..., :4], torch.zeros(1, 3, 8, 4)], -1)
    assert torch.allclose(recolour(half, colours)[0, :, 0, -1], torch.tensor(colours[0]), atol=0.01)


@pytest.mark.parametrize("start", ["library", "noise"])
def test_the_picture_keeps_to_the_palette(pair, start):
    names = ["navy", "gold", "white"]
    asked = dict(include="a strawberry", start=start)
    near = [
        share_near(painted(pair, palette=p, **asked).image, list(map(parse_colour, names)))
        for p in ([], names)
    ]
    assert near[1] > near[0] + 0.1 and near[1] > 0.75


def test_the_palettes_term_wants_every_colour():
    wanted = palette((1.0, 0, 0), (0, 0, 1.0))
    red = torch.tensor([1.0, 0, 0])[None, :, None, None].expand(1, 3, 8, 8)
    both = torch.cat([red[..., :4], red.flip(1)[..., 4:]], -1)
    assert loss(wanted, both) == 0 and loss(wanted, red) > 0.5


def test_a_style_picture_gives_its_colours(pair, fox, tmp_path):
    picture = Image.new("RGB", (128, 128), "#103080")
    for i in range(0, 256, 16):
        ImageDraw.Draw(picture).line([(i - 128, 0), (i, 128)], fill="#f0c020", width=6)
    picture.save(tmp_path / "stripes.png")
    asked = dict(style_image=str(tmp_path / "stripes.png"), style_image_weight=10.0)
    run = painted(pair, **asked)
    wanted = style(to_tensor(picture), pair.vqgan.features)
    away = [loss(wanted, to_tensor(image)) for image in (run.image, fox.image)]
    assert away[0] < 0.5 * away[1]


def test_looks_can_change_while_a_picture_forms(pair):
    run = begun(pair, total_iter=40, loosen=1.0)
    for _ in range(5):
        run.step()
    run.change(attributes=["blue: 1"], palette=["blue", "white"])
    list(run)
    assert share_near(run.image, [parse_colour("blue"), (1, 1, 1)]) > 0.7


def test_an_attribute_that_the_pair_never_learned_is_said_and_only_drawn(pair):
    with pytest.warns(UserWarning, match="magenta: not known as an attribute"):
        run = begun(pair, attributes=["magenta"])
    plain = begun(pair)
    assert torch.equal(run.encodings.include[0], plain.encodings.include[0])
    assert not torch.equal(run.start.picture, plain.start.picture)


def test_an_attribute_goes_from_what_the_prompt_says(pair):
    def start(prompt, *attributes):
        return begun(pair, include=prompt, attributes=list(attributes)).start.picture

    for prompt, attribute in (
        ("a red fox", "blue: 0.01"),
        ("a big fox", "small: 0.01"),
        ("a line drawing of a fox on a black background", "blue: 0.01"),
    ):
        assert (start(prompt, attribute) - start(prompt)).abs().mean() < 0.01


def test_a_grey_style_picture_leaves_the_thing(pair, tmp_path):
    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "grey.png")
    run = painted(pair, style_image=str(tmp_path / "grey.png"))
    assert np.asarray(run.image, float).std() > 20  # not a field of grey


def test_a_style_picture_of_any_size_has_features(pair):
    assert len(pair.vqgan.features(torch.rand(1, 3, 127, 1))) == 3


@pytest.mark.parametrize(
    "asked, words",
    [
        (dict(palette=["red"]), "palette need.* add objectives.palette"),
        (dict(regions=["left: a cat"]), "regions need the loop's own objective"),
    ],
)
def test_looks_and_regions_need_the_loops_own_objective(pair, asked, words):
    with pytest.raises(ValueError, match=words):
        vq.Run(pair, vq.Settings(include=["a fox"], **asked), objective=palette((1, 0, 0)))
