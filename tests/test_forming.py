"""Pictures that form from noise with the prior, and those that it draws at once."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import vqclip_nb as vq
from training.classifier import load_shape_judge
from training.train_prior import masked_loss
from vqclip_nb.emoji import forming
from vqclip_nb.emoji.compose import CENTRED, moved
from vqclip_nb.emoji.layers import cut_out, fitted, tinted
from vqclip_nb.emoji.prior import Prior
from vqclip_nb.images import to_pil

FORMED = dict(start="noise", height=128, width=128, crops=4)


@pytest.fixture
def few(monkeypatch):
    """Fewer drawings of the prior, where it does not matter how good they are."""
    monkeypatch.setattr(forming, "CANDIDATES", 1)
    monkeypatch.setattr(forming, "REDRAWS", 4)


@pytest.fixture
def far():
    """Distances (128, 128) in pixels from the middle."""
    side = torch.arange(128) - 64.0
    return torch.hypot(side[:, None], side)


def run_to_end(pair, prompt, **settings):
    run = vq.Run(pair, vq.Settings(include=prompt, **FORMED | settings))
    list(run)
    return run


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
    with pytest.warns(UserWarning, match="never drew 'a line drawing of a fox': .*a drawing"):
        run = vq.Run(pair, vq.Settings(include="a line drawing of a fox", **FORMED))
    assert "fox, line" in run.start.description


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
        resumed = vq.Run.resume(path, pair)
        list(resumed)
        assert resumed.image.tobytes() == whole.image.tobytes()
    run = run_to_end(pair, "a key", total_iter=11, show_step=1)
    branch = run.branch(run.frames[3], include=["a carrot and a tree"])
    list(branch)
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

    assert list(pair.wing.priors)[:3] == ["noto", "3d", "sticker"]
    assert [shape.style for shape in things("a fox", range(4))] == ["noto", "3d", "sticker", "noto"]
    assert len({shape.pose for shape in things("a fox")}) == 8
    several = things("a fox and a tree") + things("two foxes")
    assert {shape.pose for shape in several} == {CENTRED}
    for shape in things("a fox", range(50)):
        for wide in (10, 50, 63):
            x, y, width, height = moved((32, 32, wide, 40), shape.pose, (64, 64))
            assert width / 2 <= x + 1e-6 and x + width / 2 <= 64 + 1e-6
            assert height / 2 <= y + 1e-6 and y + height / 2 <= 64 + 1e-6


def test_things_are_cut_out_as_they_are_and_keep_their_other_colours(far):
    def painted(mask, colour):
        return 1 - mask[None, None] * (1 - torch.tensor(colour).view(1, 3, 1, 1))

    outlined = cut_out(painted(((far > 36) & (far < 44)).float(), [0.4, 0.4, 0.4]))
    assert outlined[3, 64, 64] == 1 and outlined[:3, 64, 64].min() == 1  # white, and kept
    assert outlined[3][far > 56].max() == 0
    assert outlined[3][(far > 38) & (far < 42)].min() > 0.9
    pale = cut_out(painted((far < 40).float(), [0.92, 0.92, 0.94]))
    assert pale[3][far < 38].min() == 1 and pale[3][far > 44].max() == 0
    ring = cut_out(painted(((far > 40) & (far < 43)).float(), [0.5, 0.2, 0.1]))  # as of a bicycle
    assert ring[3][far < 36].max() == 0 and ring[3][(far > 41) & (far < 42)].min() > 0.6
    soft = cut_out(painted((41 - far).clamp(0, 4) / 4, [1.0, 0.1, 0.1]))  # no light rim around it
    seen = soft[3] > 0.3
    assert (soft[1][seen] / soft[3][seen]).max() < 0.35
    crown = torch.ones(4, 32, 32)
    crown[:3] = torch.tensor([225, 175, 45]).view(3, 1, 1) / 255
    crown[:3, 12:20, 12:20] = torch.tensor([20, 60, 230]).view(3, 1, 1) / 255  # a jewel
    assert torch.equal(tinted(crown, "golden"), crown)
    red = tinted(crown, "red")
    assert torch.equal(red[:, 12:20, 12:20], crown[:, 12:20, 12:20])
    assert (red[:3, 0, 0] * 255 - torch.tensor([215, 35, 35])).abs().max() < 3
    grey = torch.full((4, 32, 32), 0.8)
    grey[3] = 1
    assert tinted(grey, "red")[0].mean() > tinted(grey, "red")[1].mean() + 0.2  # all of it


def test_each_region_forms_a_thing_of_its_own_on_the_background_of_the_whole(pair):
    regions = ["left: a dog", "right: a red car"]
    run = vq.Run(pair, vq.Settings(include="a blue background", regions=regions, **FORMED))
    forming = run.painting.forming
    assert [shape.label for shape in forming.things] == ["dog", "automobile"]
    white = torch.ones(1, 3, 128, 256)
    white[..., 40:90, 40:90] = torch.tensor([0.9, 0.5, 0.1]).view(3, 1, 1)  # the dog
    white[..., 40:90, 168:218] = torch.tensor([0.1, 0.8, 0.2]).view(3, 1, 1)  # the car
    picture = forming.dress(white)[0]
    height, width = picture.shape[1:]
    assert (picture[:, 2, 2] * 255).round().tolist() == [40, 90, 215]  # blue
    dog, car = picture[:, height // 2, width // 4], picture[:, height // 2, width * 3 // 4]
    assert dog[0] > 0.8 and car[0] > 0.6 > car[1]


@pytest.mark.parametrize(
    "prompt, drawing",
    {
        "a lighthouse": "silhouette: lighthouse",
        "a doctor": "noto: doctor",
        "a man": "noto: man",  # which CLIP reads; the other priors never saw one
    }.items(),
)
def test_what_no_caption_taught_forms_by_its_name(pair, prompt, drawing):
    settings = vq.Settings(include=prompt, **FORMED)
    run = vq.Run(pair, settings)
    [shape] = run.painting.forming.things
    assert run.start is None and shape.drawing == drawing
    generator = torch.Generator().manual_seed(0)
    best = forming.draw(run.painting.forming, generator=generator)[0].picture
    best = fitted(best.flip(3) if shape.mirrored else best, (128, 128))
    apart = {}
    for named in (shape.label, "rocking chair"):
        start = settings.replace(include=f"a {named}", start="library")
        own = pair.start(pair.read(f"a {named}"), start, (128, 128), 0).picture
        x, y = (F.avg_pool2d(picture.mean(1), 8) for picture in (best, own))
        apart[named] = float((x - y).abs().mean())
    assert apart[shape.label] < 0.8 * apart["rocking chair"]


# -- the prior over codes

SMALL = dict(side=4, width=64, layers=2, heads=2, text_width=8, encoding=8, head_width=16)


def words(n, *, seed=0):
    """Captions that differ: tokens, keep and encodings."""
    generator = torch.Generator().manual_seed(seed)
    encoding = torch.nn.functional.normalize(torch.randn(n, 8, generator=generator), dim=-1)
    return torch.randn(n, 3, 8, generator=generator), torch.ones(n, 3, dtype=torch.bool), encoding


@pytest.fixture(scope="module")
def taught():
    """A prior that has seen two grids of 16 codes, each with its caption."""
    torch.manual_seed(0)
    prior, generator = Prior(10, **SMALL), torch.Generator().manual_seed(0)
    grids = torch.randint(10, (2, 4, 4), generator=generator)
    optimizer = torch.optim.AdamW(prior.parameters(), lr=3e-3)
    tokens, keep, encoding = words(2)
    losses = []
    for _ in range(150):
        said = torch.rand(16, 1, generator=generator) > 0.2
        caption = (tokens.repeat(8, 1, 1), keep.repeat(8, 1) & said, encoding.repeat(8, 1))
        loss = masked_loss(prior, grids.repeat(8, 1, 1), caption, generator, 0.0)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.3 < 2 < losses[0]
    return prior.eval(), grids


def test_it_draws_the_grid_that_the_caption_asks_for_and_finds_it_likely(taught):
    prior, grids = taught
    seeds = [torch.Generator().manual_seed(s) for s in (0, 1, 2, 2)]
    drawn = torch.stack([prior.sample(words(2), generator=g) for g in seeds])
    assert (drawn == grids).float().mean() > 0.9
    assert (drawn == grids.flip(0)).float().mean() < 0.5
    assert torch.equal(drawn[2], drawn[3])
    prior, grids = taught
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    right = prior.log_likelihood(grids, words(2), generator=seeds[0])
    wrong = prior.log_likelihood(grids.flip(0), words(2), generator=seeds[1])
    assert right.shape == (2,) and (right < 0).all() and (right > wrong + 1).all()
    with torch.no_grad():  # in one group every cell is read off the empty grid
        empty = prior(torch.full_like(grids, prior.codes), words(2)).log_softmax(-1)
    by_hand = empty.gather(2, grids.flatten(1)[..., None]).mean((1, 2))
    once = prior.log_likelihood(grids, words(2), steps=1, generator=torch.Generator())
    torch.testing.assert_close(once, by_hand)


def test_sampling_keeps_the_codes_it_is_given_and_hears_a_push(taught):
    prior, grids = taught
    start = torch.full((1, 4, 4), prior.codes)
    start[0, 1] = 9 - grids[0, 1]
    one = [x[:1] for x in words(2)]
    calls = []

    def push(index, logits):
        calls.append((index == prior.codes).sum().item())
        return torch.where(torch.arange(10) == 3, 1e4, 0.0)

    plain = prior.sample(one, steps=4, generator=torch.Generator(), index=start)
    assert torch.equal(plain[0, 1], start[0, 1]) and plain.max() < prior.codes
    pushed = prior.sample(one, steps=4, generator=torch.Generator(), index=start, push=push)
    assert (pushed[0, [0, 2, 3]] == 3).all() and torch.equal(pushed[0, 1], start[0, 1])
    assert calls[0] == 12 and calls == sorted(calls, reverse=True) and len(calls) == 4
