"""Attributes, palette, style picture, regions, media: the picture takes them on as far as asked."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from runs import after_steps, finished

import vqclip_nb as vq
from training.eval_attributes import share_near
from vqclip_nb.attributes import parse_attribute
from vqclip_nb.emoji.caption_words import MEDIA_WORDS
from vqclip_nb.emoji.media import MEDIA
from vqclip_nb.images import to_tensor
from vqclip_nb.objectives import Step, palette, style
from vqclip_nb.palettes import parse_colour, recolour
from vqclip_nb.prompts import encode_reading
from vqclip_nb.regions import outside, parse_region
from vqclip_nb.studio.chips import with_style


def begun(pair, objective=None, **asked):
    """A run from a drawing of the library; keywords change that."""
    usual = dict(include="a fox", start="library", height=128, width=128, total_iter=15, crops=4)
    return vq.Run(pair, vq.Settings(**usual | asked), objective=objective)


def painted(pair, **asked):
    return finished(begun(pair, **asked))


@pytest.fixture(scope="module")
def fox(pair):
    return painted(pair)


def thing(image):
    """Pixels of what is painted on white, (n, 3) in [0, 1]."""
    pixels = np.asarray(image, float).reshape(-1, 3) / 255
    return pixels[pixels.min(1) < 0.8]


SAID = {  # an attribute, a prompt, and the words that say both
    ("red", "a fox"): "a red fox",
    ("orange", "a fox on a blue background"): "an orange fox on a blue background",
    ("big", "the moon"): "the big moon",
    ("red", "a sticker of a fox"): "a sticker of a red fox",
    ("oil painting: .5", "a fox"): "an oil painting of a fox",
}


def test_full_strength_reads_as_the_words_and_none_as_the_prompt(pair):
    for (attribute, text), said in SAID.items():
        assert parse_attribute(attribute).said_of(text) == said
    plain, red = (encode_reading(pair.clip, pair.read(text)) for text in ("a fox", "a red fox"))
    for strength in (0, 0.25, 1, -1):
        found = encode_reading(pair.clip, pair.read("a fox"), [parse_attribute(f"red: {strength}")])
        assert torch.allclose(found, plain + strength * (red - plain), atol=1e-5)


def test_an_attribute_is_taken_on_as_far_as_asked(pair, fox):
    blues = []
    for run in (fox, *(painted(pair, attributes=[f"blue: {strength}"]) for strength in (0.5, 1))):
        pixels = thing(run.image)
        blues.append((pixels[:, 2] - pixels[:, 0]).mean())
    assert blues[0] < blues[1] - 0.3 < blues[2] - 0.6
    sizes = ["small: 1", "big: 0", "big: 1"]
    drawn = [len(thing(painted(pair, include="a car", attributes=[s]).image)) for s in sizes]
    assert all(a * 1.15 < b for a, b in zip(drawn, drawn[1:], strict=False))
    for strength, is_line in ((0.4, False), (0.5, True)):
        run = begun(pair, attributes=[f"line drawing: {strength}"])
        assert (run.start.drawings[0].style == "line") == is_line


def test_recolouring_takes_the_nearest_colours():
    half = torch.ones(1, 3, 8, 8)
    half[..., 4:] = 0
    colours = [parse_colour(name) for name in ("navy", "gold", "#ffffff")]
    seen = recolour(half, colours)[0, :, 0].T
    for found, colour in ((seen[0], colours[2]), (seen[-1], colours[0])):
        assert torch.allclose(found, torch.tensor(colour), atol=0.01)


@pytest.mark.parametrize("start", ["library", "noise"])
def test_the_picture_keeps_to_the_palette(pair, start):
    names = ["navy", "gold", "white"]
    asked = dict(include="a strawberry", start=start)
    colours = [parse_colour(name) for name in names]
    free, kept = (share_near(painted(pair, palette=p, **asked).image, colours) for p in ([], names))
    assert kept > free + 0.1 and kept > 0.75


def test_a_style_picture_gives_its_colours(pair, fox, tmp_path):
    stripes = Image.new("RGB", (128, 128), "#103080")
    for i in range(0, 256, 16):
        ImageDraw.Draw(stripes).line([(i - 128, 0), (i, 128)], fill="#f0c020", width=6)
    stripes.save(tmp_path / "stripes.png")
    asked = dict(style_image=str(tmp_path / "stripes.png"), style_image_weight=10.0)
    wanted, nothing = style(to_tensor(stripes), pair.vqgan.features), torch.zeros(1)
    pictures = [to_tensor(run.image) for run in (painted(pair, **asked), fox)]
    near, far = (wanted(Step(nothing, nothing, p, nothing, nothing)) for p in pictures)
    assert near < 0.5 * far
    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "grey.png")
    run = painted(pair, style_image=str(tmp_path / "grey.png"))
    assert np.asarray(run.image, float).std() > 20  # the thing is left, not a field of grey
    assert len(pair.vqgan.features(torch.rand(1, 3, 127, 1))) == 3  # of any size


def test_looks_can_change_while_a_picture_forms(pair):
    run = after_steps(begun(pair, total_iter=40, loosen=1.0), 5)
    run.change(attributes=["blue: 1"], palette=["blue", "white"])
    assert share_near(finished(run).image, [parse_colour("blue"), (1, 1, 1)]) > 0.7


def test_an_attribute_goes_from_what_the_prompt_says_and_is_drawn_if_it_was_never_learned(pair):
    def start(prompt, *attributes):
        return begun(pair, include=prompt, attributes=list(attributes)).start.picture

    for prompt, attribute in (("a red fox", "blue: 0.01"), ("a big fox", "small: 0.01")):
        assert (start(prompt, attribute) - start(prompt)).abs().mean() < 0.01
    with pytest.warns(UserWarning, match="magenta: not known as an attribute"):
        run = begun(pair, attributes=["magenta"])
    plain = begun(pair)
    assert torch.equal(run.encodings.include[0], plain.encodings.include[0])
    assert not torch.equal(run.start.picture, plain.start.picture)


def test_looks_and_regions_need_the_loops_own_objective(pair):
    for asked, words in (
        (dict(palette=["red"]), "palette need.* add objectives.palette"),
        (dict(regions=["left: a cat"]), "regions need the loop's own objective"),
    ):
        with pytest.raises(ValueError, match=words):
            begun(pair, objective=palette((1, 0, 0)), **asked)


def test_places_are_boxes_of_the_picture_and_a_mask_is_where_it_is_white(tmp_path):
    box = parse_region("0.25, 0, 1, .5: a cat").area((100, 200)).box
    assert box == (50, 0, 200, 50)
    assert parse_region("Bottom Right : a cat").area((10, 10)).box == (5, 5, 10, 10)
    mask = Image.new("L", (20, 10))
    mask.paste(255, (0, 0, 10, 10))
    mask.save(tmp_path / "m.png")
    assert parse_region(f"{tmp_path / 'm.png'}: a cat").area((10, 20)).box == (0, 0, 10, 10)
    Image.new("L", (20, 10)).save(tmp_path / "black.png")
    with pytest.raises(ValueError, match="has no white"):
        parse_region(f"{tmp_path / 'black.png'}: a cat").area((10, 20))
    for name in ("nothing.png", "0 cat.png"):
        with pytest.raises(FileNotFoundError):
            parse_region(f"{name}: a cat").area((10, 20))


def test_a_region_pulls_at_its_own_pixels_only():
    picture = torch.rand(1, 3, 8, 8, requires_grad=True)
    area = parse_region("left: cat").area((8, 8))
    for part, within in ((area.cut(picture), True), (outside(picture, [area]), False)):
        [grad] = torch.autograd.grad(part.sum(), picture)
        assert (grad[..., :4] > 0).all() == within and (grad[..., 4:] > 0).any() != within


def halves(image):
    """Mean red, green, blue of the left half's middle and of the right half's."""
    x = np.asarray(image, float)
    h, w = x.shape[:2]
    return [x[h // 3 : -h // 3, a : a + w // 6].mean((0, 1)) for a in (w // 6, w * 4 // 6)]


def test_each_half_shows_what_it_was_asked_for_and_regions_steer(pair):
    sides = ["left: a red heart", "right: a green heart"]
    asked = dict(include="a white background", regions=sides)
    short = dict(total_iter=8, crops=6)
    run = painted(pair, **asked, **short)
    left, right = halves(run.image)
    assert left[0] > left[1] + 60 and right[1] > right[0] + 20
    assert run.start.description.startswith("left: ")
    steered = after_steps(begun(pair, include="a red heart", loosen=1.0, **short), 2)
    with pytest.raises(ValueError, match="is no region"):
        steered.change(regions=["nowhere"])
    with pytest.raises(FileNotFoundError):
        steered.change(regions=["gone.png: a cat"])
    steered.change(**asked)  # a wrong one changed nothing
    left, right = halves(finished(steered).image)
    assert left[0] > left[1] + 40 and right[1] > right[0]


# -- media: layers that can be seen, and that the gradient goes through


@pytest.fixture(scope="module")
def picture(pair):
    return pair.library.find("a fox on a light blue background", size=(128, 96)).picture


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_a_medium_is_seen_and_lets_the_gradient_through(picture, name):
    x = picture.clone().requires_grad_()
    made = MEDIA[name](x)
    assert made.shape == x.shape and 0 <= made.min() and made.max() <= 1
    assert (made - x).abs().mean() > 0.01
    [gradient] = torch.autograd.grad(made.square().sum(), x)
    assert gradient.isfinite().all() and (gradient != 0).float().mean() > 0.5
    assert torch.equal(made, MEDIA[name](x))  # the same at every step
    wide = torch.full((1, 3, 96, 248), 0.5)  # of any size, without an edge
    assert MEDIA[name](wide).shape == wide.shape and MEDIA[name](wide).isfinite().all()


def test_what_makes_a_medium_is_in_its_picture_and_the_studio_offers_all(picture, pair):
    def colours(name):
        return len(MEDIA[name](picture)[0].flatten(1).T.mul(255).round().unique(dim=0))

    assert colours("pixel art") < 500 and colours("low poly") < 700  # of 12,288 pixels
    grey = MEDIA["black and white"](picture)
    assert torch.equal(grey[:, 0], grey[:, 1]) and MEDIA["neon"](picture).median() < 0.3
    assert MEDIA["stained glass"](picture).quantile(0.05) < 0.1  # lead
    assert colours("paper cut-out") < colours("oil painting") / 2
    tones = MEDIA["linocut"](picture).mean(1)
    assert ((tones < 0.25) | (tones > 0.75)).float().mean() > 0.7
    assert {*MEDIA_WORDS} == {*MEDIA}
    for name in MEDIA:
        assert pair.medium(pair.read(with_style("a sticker of a fox", name))) is MEDIA[name]


def colourful(image):
    """How far the channels of a picture are apart at most, in steps of 255."""
    rgb = np.asarray(image, int)
    return (rgb.max(2) - rgb.min(2)).max()


def test_a_picture_is_painted_in_its_medium_from_the_first_frame_until_the_prompt_changes(
    pair, small
):
    photo = small("a black and white photo of a fox", start="library", show_step=1)
    run = vq.Run(pair, photo)
    for frame in run:
        if frame.iteration == 3:
            assert colourful(frame.image) <= 1
            run.change(include=["a fox"])
    assert colourful(frame.image) > 50
