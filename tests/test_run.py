"""The loop paints what was asked, the same way each time, and loses nothing on the way."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
import vqclip_nb.objectives
import vqclip_nb.parts
from vqclip_nb.images import to_pil
from vqclip_nb.latents import FUNCTIONS, Latent, noise


def pixels(image) -> np.ndarray:
    return np.asarray(image, np.float32)


def test_the_loss_falls_and_the_similarity_rises(pair, small):
    run = vq.Run(pair, small("a red apple", total_iter=30, crops=8))
    frames = list(run)
    loss = [f.loss for f in frames]
    assert [f.iteration for f in frames] == list(range(30))
    assert np.mean(loss[-5:]) < np.mean(loss[:3]) - 0.1
    assert run.similarity > np.mean([f.similarity for f in frames[:3]]) + 0.1


def test_the_picture_shows_the_colour_that_was_asked_for(pair, small):
    reds, blues = {}, {}
    for colour in ("red", "blue"):
        run = vq.Run(pair, small(f"a key on a {colour} background", total_iter=25, crops=6))
        list(run)
        edge = pixels(run.image)[[0, 1, 2, -3, -2, -1]].mean((0, 1))
        reds[colour], blues[colour] = edge[0], edge[2]
    assert reds["red"] > reds["blue"] + 40
    assert blues["blue"] > blues["red"] + 40


def test_the_same_seed_gives_the_same_bytes(pair, small):
    torch.manual_seed(1)
    one = vq.Run(pair, small(seed=5))
    list(one)
    torch.manual_seed(2)  # the global generator has no say
    two, other = vq.Run(pair, small(seed=5)), vq.Run(pair, small(seed=6))
    list(two), list(other)
    assert [f.pixels for f in one.frames] == [f.pixels for f in two.frames]
    assert one.history == two.history
    assert one.frames[0].pixels != other.frames[0].pixels


def test_each_include_gives_a_picture_of_its_own_equal_to_its_own_run(pair, small):
    both = vq.Run(pair, small(["a red apple", "a blue heart"]))
    list(both)
    alone = vq.Run(pair, small("a blue heart"))
    list(alone)
    assert [f.index for f in both.frames] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert both.frames[-1].pixels == alone.frames[-1].pixels


def test_only_the_latent_learns(pair, small):
    run = vq.Run(pair, small())
    before = {k: v.clone() for k, v in pair.vqgan.state_dict().items()}
    start = run.painting.optimization.latent.data.detach().clone()
    list(run)
    assert not torch.equal(start, run.painting.optimization.latent.data)
    assert all(torch.equal(v, before[k]) for k, v in pair.vqgan.state_dict().items())
    networks = [*pair.clip.model.parameters(), *pair.vqgan.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in networks)


def test_report_preset_runs_as_described(pair):
    s = vq.Settings.preset(
        "report", include="Pineapple in a bowl", exclude="watermark", total_iter=91, crops=3
    ).replace(height=60, width=70)
    strange = "watermark: not known"  # the emoji pair knows no watermark
    with pytest.warns(match="60×70 becomes 56×64"), pytest.warns(match=strange):
        run = vq.Run(pair, s)
    frames = [f for f in run if f.shown]
    assert [f.iteration for f in frames] == [80, 90]
    assert run.image.size == (64, 56) and run.image.mode == "RGB"
    assert all(f.z.shape == (1, pair.vqgan.latent_channels, 7, 8) for f in run.frames)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ("AdamW", "optimizer='AdamW': give a function"),
        (torch.optim.SGD([torch.zeros(1)], lr=1), "give a function that makes one"),
        (torch.optim.LBFGS, "LBFGS needs several losses a step"),
        (lambda parameters: "AdamW", "str is no optimizer of torch's"),
        (lambda parameters: torch.optim.SGD([torch.zeros(1)], lr=1), "does not hold the latent"),
    ],
    ids=["name", "instance", "LBFGS", "no optimizer", "of another tensor"],
)
def test_optimizers_that_cannot_be_used_are_refused_at_once(pair, small, optimizer, words):
    with pytest.raises(ValueError, match=words):
        vq.Run(pair, small(), optimizer=optimizer)


def test_exclude_and_extras_move_the_picture(pair, small):
    plain = vq.Run(pair, small())
    frames = {"plain": list(plain)[-1]}
    for field in ("exclude", "extras"):
        frames[field] = list(vq.Run(pair, small(**{field: "green"})))[-1]
    assert len({f.pixels for f in frames.values()}) == 3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations_act_at_the_start_or_in_every_step(name):
    shape = (1, 3, 4, 5)

    def made(**options) -> Latent:
        return Latent(
            noise(shape, generator=torch.Generator().manual_seed(0), **options), **options
        )

    draw = 0.5 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = {
        "sine": draw.sin(),
        "none": draw,
        "relu": draw.clamp(min=0),
        "leaky relu": torch.where(draw > 0, draw, 0.2 * draw),
        "tanh": draw.tanh(),
        "sigmoid": 1 / (1 + (-draw).exp()),
        "softmax": draw.exp() / draw.exp().sum(1, keepdim=True),
    }[name]
    start, every = made(activation=name), made(activation=name, at="every step")
    torch.testing.assert_close(start.data.detach(), expected)
    torch.testing.assert_close(start(), start.data)
    torch.testing.assert_close(every.data.detach(), draw)
    torch.testing.assert_close(every().detach(), expected)


def test_resume_refuses_other_weights_and_other_files(pair, small, tmp_path):
    run = vq.Run(pair, small())
    run.step()
    file = run.save(tmp_path / "run.safetensors")
    known, pair.vqgan_hash = pair.vqgan_hash, "0"
    try:
        with pytest.raises(ValueError, match="other weights"):
            vq.Run.resume(file, pair)
    finally:
        pair.vqgan_hash = known
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(vq.WeightsError, match="damaged"):
        vq.Run.resume(file, pair)


def test_an_interrupt_loses_nothing(pair, small, monkeypatch):
    whole = vq.Run(pair, small(total_iter=8))
    list(whole)
    encode, calls = pair.clip.encode_crops, []

    def interrupted(*crops_and_generator, **how):
        encodings = encode(*crops_and_generator, **how)
        calls.extend([1] * (len(encodings) == 4))  # not what is tried before the first step
        if len(calls) == 4:
            raise KeyboardInterrupt
        return encodings

    monkeypatch.setattr(pair.clip, "encode_crops", interrupted)
    run = vq.Run(pair, small(total_iter=8))
    with pytest.raises(KeyboardInterrupt):
        list(run)
    assert len(run.history) == 3 and len(run.frames) == 2 and run.image is not None
    list(run)
    assert run.history == whole.history
    assert [f.pixels for f in run.frames] == [f.pixels for f in whole.frames]


def test_changes_take_effect_on_the_next_step_or_ask_for_a_restart(pair, small):
    run = vq.Run(pair, small(total_iter=4))
    run.step()
    run.change(learning_rate=0.7, noise_factor=0, include="a blue heart")
    assert run.painting.optimization.optimizer.param_groups[0]["lr"] == 0.7
    assert run.changes[0][0] == 1 and run.changes[0][1]["include"] == ["a blue heart"]
    with pytest.raises(ValueError, match="seed, activation|activation, seed"):
        run.change(seed=3, activation="tanh")
    with pytest.raises(ValueError, match="0.001 to 10"):
        run.change(learning_rate=0)
    assert run.settings.learning_rate == 0.7
    pictures = vq.Run(pair, small(["a fox", "an owl"], total_iter=1))
    pictures.step()
    with pytest.raises(ValueError, match="picture 2 is forming"):
        pictures.change(include="an owl")
    other = vq.Run(pair, small(total_iter=4))
    list(other), list(run)
    assert run.frames[-1].pixels != other.frames[-1].pixels


def test_a_branch_repeats_the_first_try_until_something_changes(pair, small):
    run = vq.Run(pair, small(total_iter=8))
    list(run)
    first = list(run.frames)
    same = run.branch(run.frames[1])
    list(same)
    assert same.history == run.history and same.frames[-1].pixels == run.frames[-1].pixels
    changed = run.branch(run.frames[1], include="a blue heart")
    list(changed)
    assert changed.frames[0].pixels == run.frames[0].pixels
    assert changed.frames[-1].pixels != run.frames[-1].pixels
    assert run.frames == first


def test_starts_from_a_picture(pair, small, tmp_path):
    Image.new("RGB", (80, 80), (30, 90, 220)).save(tmp_path / "blue.png")
    run = vq.Run(pair, small(init_image=str(tmp_path / "blue.png")))
    red, green, blue = pixels(next(iter(run)).image).mean((0, 1))
    assert blue > green + 30 > red + 30
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        vq.Run(pair, small(init_image=str(tmp_path / "nowhere.png")))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="no picture"):
        vq.Run(pair, small(init_image=str(tmp_path / "text.png")))


def test_a_start_picture_travels_in_the_file(pair, small, tmp_path):
    gone = tmp_path / "ramp.png"
    Image.linear_gradient("L").convert("RGB").save(gone)
    run = vq.Run(pair, small(include=["a red apple", "a blue heart"], init_image=str(gone)))
    for _ in range(3):
        run.step()
    saved, film = run.save(tmp_path / "run.safetensors"), run.save_mp4(tmp_path / "run.mp4")
    list(run)
    gone.unlink()
    again = vq.Run.resume(saved, pair)
    list(again)
    assert again.frames[-1].pixels == run.frames[-1].pixels
    near = vq.Run(pair, vq.open_recipe(film))
    list(near)
    assert abs(pixels(near.frames[0].image) - pixels(run.frames[0].image)).mean() < 8


def test_memory_of_long_runs_is_bounded(pair, small):
    run = vq.Run(pair, small(total_iter=80, show_step=1, crops=1, height=16, width=16))
    list(run)
    assert len(run.frames) == 80
    assert sum(bool(f.state) for f in run.frames) <= 65
    assert all(isinstance(f.pixels, bytes) for f in run.frames)
    assert run.frames[-1].state
    with pytest.raises(ValueError, match="can no longer be continued"):
        run.branch(next(f for f in run.frames if not f.state))


def test_sizes_that_fit_are_not_warned_about(pair, small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vq.Run(pair, small(height=None, width=32)).size == (256, 32)


def test_a_start_from_the_library_says_which_drawing(pair):
    include = ["a red fox on a blue background", "quux fox"]
    drawn = dict(start="library", height=128, width=128, total_iter=12, crops=4)
    settings = vq.Settings(include=include, **drawn)
    run = vq.Run(pair, settings)
    assert run.start.description == "red fox, noto; on blue"
    frames = [frame for frame in run if frame.index == 0]
    red, green, blue = pixels(frames[-1].image)[[0, 1, -2, -1]].mean((0, 1))
    assert blue > red + 60
    noise, drawn = (pixels(f.image) for f in (frames[0], frames[-1]))
    wanted = pixels(to_pil(vq.Run(pair, settings).start.picture[0]))
    assert np.abs(drawn - wanted).mean() < 0.5 * np.abs(noise - wanted).mean()
    assert vq.Run(pair, settings.replace(start="noise")).start is None


def test_a_changed_prompt_changes_the_picture(pair):
    drawn = dict(start="library", height=128, width=128, total_iter=30, crops=4)
    run = vq.Run(pair, vq.Settings(include=["a cat on a green background"], **drawn))
    for frame in run:
        if frame.iteration == 9:
            run.change(include=["a cat on a red background"])
    red, green, blue = pixels(run.image)[[0, 1, -2, -1]].mean((0, 1))
    assert red > green + 60


def test_a_pair_without_drawings_starts_from_noise(pair):
    other = dataclasses.replace(pair, vqgan_hash="0")
    assert other.library is None
    assert vq.Run(other, vq.Settings(include=["a fox"])).settings.start == "noise"
    with pytest.raises(ValueError, match="has no library of drawings"):
        vq.Run(other, vq.Settings(include=["a fox"], start="library"))


def test_what_is_begun_with_is_made_once_and_again_only_for_what_it_depends_on(
    pair, small, tmp_path, monkeypatch
):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    looks = dict(palette=["navy", "orange"], keep_edges=1.0, keep_colours=1.0, tries=2)
    from_file = small(init_image=str(tmp_path / "red.png"), **looks)
    made, recolour = [], vqclip_nb.parts.recolour
    monkeypatch.setattr(
        vqclip_nb.parts, "recolour", lambda p, c: made.append(len(c)) or recolour(p, c)
    )
    # From the library each try has a drawing of its own.
    for settings in (from_file, small(start="library", **looks | {"tries": 1})):
        made.clear()
        run = vq.Run(pair, settings)
        run.step()
        run.change(learning_rate=0.1, alpha=0.9, keep_edges=2.0)
        run.change(loosen=0.5)
        run.step()
        assert made == [2]
        run.change(palette=["navy", "orange", "white"])
        run.step()
        assert made == [2, 3]
        run.change(include=["a blue heart"])
        assert made == ([2, 3] if settings is from_file else [2, 3, 3])


def test_a_style_picture_is_measured_again_only_if_it_changes(pair, small, tmp_path, monkeypatch):
    for name in ("red", "blue"):
        Image.new("RGB", (32, 32), name).save(tmp_path / f"{name}.png")
    made, style = [], vqclip_nb.objectives.style
    monkeypatch.setattr(
        vqclip_nb.objectives, "style", lambda *about: made.append(1) or style(*about)
    )
    run = vq.Run(pair, small(style_image=str(tmp_path / "red.png"), tries=2))
    run.step()
    run.change(learning_rate=0.1, include=["a blue heart"], style_image_weight=2.0)
    run.step()
    assert len(made) == 1
    run.change(style_image=str(tmp_path / "blue.png"))
    assert len(made) == 2
