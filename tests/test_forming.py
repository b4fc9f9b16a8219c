"""Pictures that form from noise with the prior, and those that it draws at once."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from runs import finished

import vqclip_nb as vq
from training.classifier import load_shape_judge
from training.train_prior import masked_loss
from vqclip_nb.emoji import forming
from vqclip_nb.emoji.layers import cut_out, filled, fitted
from vqclip_nb.emoji.placing import CENTRED, moved
from vqclip_nb.emoji.prior import Prior
from vqclip_nb.images import to_pil

FORMED = dict(start="noise", height=128, width=128, crops=4, finish=False)


@pytest.fixture
def few(monkeypatch):
    """Fewer drawings of the prior, where it does not matter how good they are."""
    monkeypatch.setattr(forming, "CANDIDATES", 1)
    monkeypatch.setattr(forming, "REDRAWS", 4)


def run_to_end(pair, prompt, **settings):
    return finished(vq.Run(pair, vq.Settings(include=prompt, **FORMED | settings)))


def drawn(pair, prompt, count=1, size=(128, 128)):
    how = pair.forming(pair.read(prompt), vq.Settings(include=prompt), size, 0)
    return forming.draw(how, count, generator=torch.Generator().manual_seed(0))


def pixels(image):
    return np.asarray(image).astype(float) / 255


def border(image):
    x = pixels(image)
    return np.concatenate([x[:4], x[-4:]]).mean((0, 1))


def test_a_judge_that_never_guides_names_what_is_drawn_and_what_forms(pair):
    judge = load_shape_judge(device="cpu")
    names = "key|pizza|sunflower|rooster|telephone|Christmas tree|carrot|star".split("|")
    ranks = {n: judge.rank(to_pil(drawn(pair, f"a {n}")[0].picture[0]), n) for n in names}
    assert sum(rank <= 5 for rank in ranks.values()) >= 6, ranks
    formed = run_to_end(pair, "a sunflower", total_iter=10).image
    assert judge.rank(formed, "sunflower") <= 5


def test_what_the_prior_draws_fits_the_prompt_and_the_best_comes_first(pair):
    alike = [sample.similarity for sample in drawn(pair, "a dragon", 4)]
    assert alike == sorted(alike, reverse=True) and alike[0] > alike[-1]
    [blue], [white] = drawn(pair, "a key on a blue background"), drawn(pair, "a key")
    border = [s.picture[0, :, :6].mean((1, 2)) for s in (blue, white)]
    assert border[0][2] > border[0][0] + 0.2 and border[1].min() > 0.9
    [wide] = drawn(pair, "a key", size=(64, 160))  # in the middle
    assert wide.picture.shape == (1, 3, 64, 160)
    assert wide.picture[..., :40].min() > 0.6 and wide.picture[..., 48:112].min() < 0.6
    run = run_to_end(pair, "a key", start="prior", height=64, width=160, total_iter=6)
    assert run.image.size == (160, 64)


def test_where_the_prior_cannot_draw_it_is_said(pair):
    run = vq.Run(pair, vq.Settings(include="a key", prior=0.0, **FORMED))
    with pytest.raises(ValueError, match="prior cannot change while a picture forms"):
        run.change(prior=0.5)
    with pytest.warns(UserWarning, match="activation at every step .* CLIP paints alone"):
        vq.Run(pair, vq.Settings(include="a key", activation_at="every step", **FORMED))
    with pytest.warns(UserWarning, match="no comic drawing of knight: it is drawn as noto"):
        run = vq.Run(pair, vq.Settings(include="a comic of a knight", **FORMED))
    assert run.start is None  # it forms


def test_shapes_form_from_noise_before_their_colours_and_two_side_by_side(pair):
    run = run_to_end(pair, "a blue teapot on a yellow background", total_iter=20, show_step=1)
    first, formed, last = (run.frames[i].image for i in (0, 14, -1))
    assert pixels(first).std() < 0.2 and run.start is None
    assert border(formed).min() > 0.85  # still on white
    red, green, blue = border(last)
    assert red > 0.8 and green > 0.6 and blue < 0.5
    inside = pixels(last)[40:88, 40:88].reshape(-1, 3)
    assert (inside[:, 2] > inside[:, 0]).mean() > 0.5
    run = run_to_end(pair, "a carrot and a tree", total_iter=10, height=192, width=192)
    assert run.image.size == (192, 192) == run.frames[0].image.size
    x = pixels(run.image)
    orange = (x[..., 0] > 0.7) & (x[..., 2] < 0.4) & (x[..., 1] < 0.75)
    green = (x[..., 1] > x[..., 0] + 0.1) & (x[..., 1] > x[..., 2] + 0.1)
    assert orange[:, :96].sum() > 2 * orange[:, 96:].sum()
    assert green[:, 96:].sum() > 200


def test_a_run_goes_on_and_branches_from_before_and_after_its_colours(pair, few, tmp_path):
    asked = vq.Settings(include="a pink key on a blue background", total_iter=11, **FORMED)
    whole, saved = vq.Run(pair, asked), []
    for frame in whole:
        if frame.iteration in (2, 7, 8):
            saved.append(whole.save(tmp_path / f"{frame.iteration}"))
    for path in saved:
        resumed = finished(vq.Run.resume(path, pair))
        assert resumed.image.tobytes() == whole.image.tobytes()
    run = run_to_end(pair, "a key", total_iter=11, show_step=1)
    branch = finished(run.branch(run.frames[3], include=["a carrot and a tree"]))
    assert branch.image.size == (128, 128)
    assert border(branch.image).min() > 0.8
    assert abs(pixels(branch.image) - pixels(run.image)).mean() > 0.02


@pytest.mark.parametrize("at", (4, 14))  # while the shape forms, and after it was dressed
def test_another_thing_forms_in_the_steps_that_are_left(pair, at):
    judge = load_shape_judge(device="cpu")
    run = vq.Run(pair, vq.Settings(include="a carrot", total_iter=16, **FORMED))
    for frame in run:
        if frame.iteration == at:
            run.change(include=["a pizza"], total_iter=at + 12)
    assert judge.rank(run.image, "pizza") <= 5


def test_a_dressed_thing_takes_another_background_and_keeps_its_shape(pair, few):
    yellow = vq.Settings(include="a carrot on a yellow background", total_iter=20, **FORMED)
    run = vq.Run(pair, yellow)
    for frame in run:
        if frame.iteration == 18:
            shapes = run.painting.shapes
            run.change(include=["a carrot on a blue background"])
    assert torch.equal(run.painting.shapes, shapes)
    assert border(run.image)[2] > border(run.image)[0] + 0.2


def test_the_seed_says_the_style_of_a_thing_and_where_it_stands_if_it_is_alone(pair):
    def things(prompt, seeds=range(8)):
        how = pair.read(prompt), vq.Settings(include=prompt), (64, 64)
        return [shape for seed in seeds for shape in pair.forming(*how, seed).things]

    assert [shape.style for shape in things("a fox", range(4))] == ["noto", "3d", "sticker", "noto"]
    assert len({shape.pose for shape in things("a fox")}) == 8
    several = things("a fox and a tree") + things("three foxes")
    assert {shape.pose for shape in several} == {CENTRED}
    for shape in things("a fox", range(50)):
        for wide in (10, 63):
            x, y, width, height = moved((32, 32, wide, 40), shape.pose, (64, 64))
            for at, side in ((x, width), (y, height)):
                assert side / 2 <= at + 1e-6 and at + side / 2 <= 64 + 1e-6


def test_things_are_cut_out_with_what_is_white_in_them_and_without_a_rim():
    side = torch.arange(128) - 64.0
    far = torch.hypot(side[:, None], side)  # pixels from the middle

    def painted(mask, colour):
        return 1 - mask[None, None] * (1 - torch.tensor(colour).view(1, 3, 1, 1))

    outlined = cut_out(painted(((far > 36) & (far < 44)).float(), [0.4, 0.4, 0.4]))
    assert outlined[:, 64, 64].min() == 1 and outlined[3][far > 56].max() == 0
    ring = cut_out(painted(((far > 40) & (far < 43)).float(), [0.5, 0.2, 0.1]))  # as of a bicycle
    assert ring[3][far < 36].max() == 0 and ring[3][(far > 41) & (far < 42)].min() > 0.6
    soft = cut_out(painted((41 - far).clamp(0, 4) / 4, [1.0, 0.1, 0.1]))
    seen = soft[3] > 0.3
    assert (soft[1][seen] / soft[3][seen]).max() < 0.35


def test_each_region_forms_a_thing_of_its_own_on_the_background_of_the_whole(pair):
    regions = ["left: a dog", "right: a red car"]
    run = vq.Run(pair, vq.Settings(include="a blue background", regions=regions, **FORMED))
    forming = run.painting.forming
    assert [shape.label for shape in forming.things] == ["dog", "automobile"]
    white = torch.ones(1, 3, 128, 256)
    white[..., 40:90, 168:218] = torch.tensor([0.1, 0.8, 0.2]).view(3, 1, 1)  # the car
    picture = forming.dress(white)[0]
    assert (picture[:, 2, 2] * 255).round().tolist() == [40, 90, 215]  # blue
    car = picture[:, picture.shape[1] // 2, picture.shape[2] * 3 // 4]
    assert car[0] > 0.6 > car[1]


@pytest.mark.parametrize(
    "thing, style",
    {"tapir": "silhouette", "lighthouse": "noto", "doctor": "noto", "man": "noto"}.items(),
)
def test_what_no_caption_taught_forms_by_its_name(pair, thing, style):
    settings = vq.Settings(include=f"a {thing}", **FORMED)
    run = vq.Run(pair, settings)
    [shape] = run.painting.forming.things
    assert run.start is None and shape.drawing == f"{style}: {thing}"
    generator = torch.Generator().manual_seed(0)
    best = forming.draw(run.painting.forming, generator=generator)[0].picture
    best = fitted(best.flip(3) if shape.mirrored else best, (128, 128))
    apart = []
    for named in (shape.label, "rocking chair"):
        own = pair.library.find(f"a {named}", size=(128, 128)).picture
        x, y = (F.avg_pool2d(picture.mean(1), 8) for picture in (best, own))
        apart.append(float((x - y).abs().mean()))
    assert apart[0] < 0.8 * apart[1]


def test_what_has_formed_is_sharper_than_its_picture_enlarged(pair):
    forms = vq.Run(pair, vq.Settings(include="a fox", **FORMED)).painting.forming
    vectors, _ = forms.candidates(0, 1, torch.Generator().manual_seed(0))
    coarse = pair.vqgan.synthesize(vectors, quantize=False)
    fine, enlarged = forms.finish(vectors), F.interpolate(coarse, scale_factor=2, mode="bicubic")
    steep = [(x[..., 1:] - x[..., :-1]).abs().quantile(0.99) for x in (fine, enlarged)]
    assert fine.shape == enlarged.shape and steep[0] > 1.2 * steep[1]


def test_a_white_body_stays_whole_where_its_drawing_says_so():
    picture = torch.ones(1, 3, 128, 128)
    picture[..., 40:48, 40:88] = 0.2  # all that is not white of a thing from 32 to 96
    bare = cut_out(picture)
    mask = torch.zeros(32, 32)
    mask[8:24, 8:24] = 1
    assert bare[3, 64, 64] == 0 and filled(bare, picture, mask)[:, 64, 64].min() > 0.99
    assert torch.equal(filled(bare, picture, mask.roll(16, 0)), bare)  # it stands elsewhere


SMALL = dict(side=4, width=64, layers=2, heads=2, text_width=8, encoding=8, head_width=16)


def test_a_prior_draws_the_grid_that_the_caption_asks_for_and_finds_it_likely():
    """One that has seen two grids of 16 codes, each with its caption."""
    torch.manual_seed(0)
    prior, generator = Prior(10, **SMALL), torch.Generator().manual_seed(0)
    grids = torch.randint(10, (2, 4, 4), generator=generator)
    optimizer = torch.optim.AdamW(prior.parameters(), lr=3e-3)
    keep = torch.ones(2, 3, dtype=torch.bool)
    tokens, encoding = torch.randn(2, 3, 8), F.normalize(torch.randn(2, 8), dim=-1)
    captions = tokens, keep, encoding
    for _ in range(150):
        said = torch.rand(16, 1, generator=generator) > 0.2
        caption = (tokens.repeat(8, 1, 1), keep.repeat(8, 1) & said, encoding.repeat(8, 1))
        optimizer.zero_grad()
        masked_loss(prior, grids.repeat(8, 1, 1), caption, generator, 0.0).backward()
        optimizer.step()
    prior.eval()
    drawn = [prior.sample(captions, generator=torch.Generator().manual_seed(s)) for s in (0, 1, 1)]
    assert (drawn[0] == grids).float().mean() > 0.9 and torch.equal(drawn[1], drawn[2])
    right, wrong = (
        prior.log_likelihood(g, captions, generator=torch.Generator().manual_seed(0))
        for g in (grids, grids.flip(0))
    )
    assert (right < 0).all() and (right > wrong + 1).all()
