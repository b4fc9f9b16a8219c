"""Pictures that the prior draws at once."""

import warnings

import numpy as np
import pytest
import torch

import vqclip_nb as vq
from training.classifier import load_shape_judge
from vqclip_nb.emoji.forming import draw
from vqclip_nb.images import to_pil

SIZE = (128, 128)
QUICK = dict(total_iter=6, crops=4, height=128, width=128)


def drawn(pair, prompt, count=2, size=SIZE, seed=0):
    forming = pair.forming(pair.read(prompt), vq.Settings(include=prompt), size, seed)
    return draw(forming, count, generator=torch.Generator().manual_seed(seed))


def finished(pair, **settings):
    run = vq.Run(pair, vq.Settings(**QUICK | settings))
    list(run)
    return run


def test_what_it_draws_is_named_by_a_judge_that_never_guides(pair):
    judge = load_shape_judge(device="cpu")
    names = (
        "key",
        "pizza",
        "sunflower",
        "rooster",
        "telephone",
        "Christmas tree",
        "carrot",
        "star",
    )
    ranks = [judge.rank(to_pil(drawn(pair, f"a {n}", 1)[0].picture[0]), n) for n in names]
    assert np.mean(np.array(ranks) <= 5) >= 0.75, dict(zip(names, ranks, strict=True))


def test_the_best_comes_first_and_a_seed_draws_the_same_again(pair):
    samples = drawn(pair, "a dragon", 4)
    alike = [s.similarity for s in samples]
    assert alike == sorted(alike, reverse=True) and alike[0] > alike[-1]
    again, other = drawn(pair, "a dragon", 4), drawn(pair, "a dragon", 4, seed=1)
    assert torch.equal(samples[0].picture, again[0].picture)
    assert not torch.equal(samples[0].picture, other[0].picture)


def test_the_background_follows_the_prompt_and_white_is_the_usual(pair):
    [blue], [white] = drawn(pair, "a key on a blue background", 1), drawn(pair, "a key", 1)
    border = [s.picture[0, :, :6].mean((1, 2)) for s in (blue, white)]
    assert border[0][2] > border[0][0] + 0.2 and border[1].min() > 0.9


def test_the_caption_is_the_strongest_text_in_words_that_it_knows(pair):
    assert pair.read("a fox:1 | an owl:2").caption == "an owl on a white background"
    assert pair.read("a fox", "on a red background").caption == "a fox on a red background"
    assert "lighthouse" not in pair.read("a lighthouse").caption
    assert pair.read("a fox:-1 | an owl:-2").caption == ""


def test_other_sizes_get_the_drawing_in_the_middle(pair):
    [wide] = drawn(pair, "a key", 1, size=(64, 160))
    assert wide.picture.shape == (1, 3, 64, 160)
    assert wide.picture[..., :40].min() > 0.6 and wide.picture[..., 48:112].min() < 0.6
    run = finished(pair, include=["a key"], start="prior", height=64, width=160)
    assert run.image.size == (160, 64)


def test_a_run_with_the_prior_paints_the_same_again_and_goes_on_where_it_stopped(pair, tmp_path):
    settings = dict(include=["a key"], start="noise", prior=0.8)
    run, plain = (
        finished(pair, **settings),
        finished(pair, include=["a key"], start="noise", prior=0.0),
    )
    assert np.asarray(run.image).tobytes() != np.asarray(plain.image).tobytes()
    half = vq.Run(pair, vq.Settings(**QUICK | settings))
    for _ in range(3):
        half.step()
    half.save(tmp_path / "half")
    resumed = vq.Run.resume(tmp_path / "half", pair)
    list(resumed)
    assert np.asarray(resumed.image).tobytes() == np.asarray(run.image).tobytes()
    run.save_png(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = vq.replay(tmp_path / "a.png", pair)
    assert np.asarray(again.image).tobytes() == np.asarray(run.image).tobytes()


def test_what_cannot_be_is_said_at_once(pair):
    run = vq.Run(
        pair, vq.Settings(include=["a key"], start="noise", prior=0.0, height=64, width=64)
    )
    with pytest.raises(ValueError, match="prior cannot change while a picture forms"):
        run.change(prior=0.5)
    run.step()  # as before
    assert not run.settings.prior
