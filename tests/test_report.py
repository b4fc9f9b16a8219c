"""The report's cells are what `Run` does, figure by figure; so is its method in docs/minimal.py."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.report import Report, norm_data, show_from_tensor

SMALL = dict(num_crops=4, im_shape=[64, 48, 3])
INCLUDE = ["a pineapple in a bowl"]
MINIMAL = Path(__file__).parents[1] / "docs" / "minimal.py"


@pytest.fixture
def report(pair):
    return Report(pair, **SMALL)


def losses(report, steps):
    """The losses of so many steps, and the latent that each began with."""
    Params, optimizer = report.init_params()
    prompt, latents, found = report.include_enc[0], [], []
    for _ in range(steps):
        latents.append(Params().detach().clone())
        found.append(report.optimize(Params, optimizer, prompt).item())
    return found, [*latents, Params]


def test_figures_9_to_11_parameters_and_networks(report, pair):
    shown = norm_data(torch.tensor([-3.0, -1, 0, 1, 2]))
    assert shown.tolist() == [0, 0, 0.5, 1, 1]
    figure = show_from_tensor(torch.ones(3, 20, 10))
    assert figure.axes[0].images[0].get_array().shape == (20, 10, 3)
    assert (report.learning_rate, report.wd, report.noise_factor) == (0.5, 0.1, 0.22)
    assert (report.total_iter, Report(report.pair).im_shape) == (400, (450, 450, 3))
    assert report.clipmodel is pair.clip and report.taming_model is pair.vqgan
    z = report.Parameters()()
    assert torch.equal(norm_data(report.generator(z)), pair.vqgan.synthesize(z, quantize=False))


def test_figures_12_and_13_start_optimizer_encodings_and_augmentation(report, pair, small):
    Params, optimizer = report.init_params()
    assert Params().shape == (1, 32, 8, 6) and Params().abs().max() <= 1
    (group,) = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.1)
    run = vq.Run(pair, small(height=64, width=48))
    assert torch.equal(Params.data, run.painting.optimization.latent.data)
    include, exclude, extras = report.createEncodings([*INCLUDE, "a fox"], "snow", "a drawing")
    assert len(include) == 2 and {e.shape for e in (*include, exclude, extras)} == {(1, 256)}
    assert torch.equal(exclude, report.encodeText("snow"))
    assert torch.equal(include[1], report.encodeText("a fox on a white background"))
    assert report.createEncodings(INCLUDE, "", "")[1:] == ([], [])
    picture = torch.rand(1, 3, 64, 48)
    assert report.augTransform(picture).shape == picture.shape
    assert report.create_crops(picture).shape == (4, 3, 64, 64)


@pytest.mark.parametrize(
    "texts, w", [(("", ""), (1, 1)), (("snow", ""), (1, 1)), (("snow", "a drawing"), (2, 0.5))]
)
def test_figure_14_the_losses_are_those_of_a_run(report, pair, texts, w):
    report.w1, report.w2 = w
    encodings = report.createEncodings(INCLUDE, *texts)
    report.include_enc, report.exclude_enc, report.extras_enc = encodings
    own = dict(include=INCLUDE, exclude=texts[0], extras=texts[1], w1=w[0], w2=w[1])
    own |= dict(height=64, width=48, crops=4, total_iter=4, show_from=0, show_step=1)
    run = vq.Run(pair, vq.Settings.preset("report", **own))
    frames = list(run)
    found, (*_, Params) = losses(report, 3)
    assert found == pytest.approx([f.loss for f in frames[:3]], abs=1e-4)
    assert report.optimize_result(Params, report.include_enc[0]).shape == (4,)
    after = (np.asarray(report.showme(Params, False)) * 255).round().transpose(1, 2, 0)
    assert np.abs(after - np.asarray(frames[3].image)).mean() < 1  # the picture after three steps


def test_figures_15_and_16_a_picture_every_ten_steps_from_80_on(report):
    shown = []
    report.show, report.total_iter = shown.append, 95
    report.num_crops, report.im_shape = 2, [32] * 3
    encodings = report.createEncodings(INCLUDE, "watermark's bowl", "")
    report.include_enc, report.exclude_enc, report.extras_enc = encodings
    res_img, res_z = report.training_loop(None, None, show_crop=True)
    assert [p.shape for p in res_img] == [(3, 32, 32)] * 2 and len(shown) == 4
    assert not torch.equal(*res_z)
    for picture, z in zip(res_img, res_z, strict=True):
        assert torch.allclose(picture, norm_data(report.generator(z))[0], atol=1e-6)
    found, latents = losses(report, 92)
    assert np.mean(found[-10:]) < np.mean(found[:10]) - 0.1
    assert torch.equal(res_z[1], latents[91])  # looking changed nothing


@pytest.mark.slow
def test_the_minimal_file_paints_a_gif_whose_loss_falls(tmp_path):
    out = tmp_path / "fox.gif"
    words = ["a fox", "a fox", "--extras", "a red fox", "--exclude", "a cat", "--total-iter", "12"]
    command = [sys.executable, MINIMAL, *words, "--size", "64", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    losses = [float(v) for v in re.findall(r"iteration \d+, loss (\S+)", done.stdout)]
    with Image.open(out) as gif:
        assert gif.n_frames == len(losses) == 6 and gif.size == (64, 64)
    assert losses[2] < losses[0] and losses[5] < losses[3]


def test_the_minimal_file_follows_the_figures_in_at_most_120_lines():
    text = MINIMAL.read_text("utf8")
    figures = [int(n) for line in re.findall("# Figure.*:", text) for n in re.findall(r"\d+", line)]
    assert figures == list(range(9, 17)) and len(text.splitlines()) <= 120
