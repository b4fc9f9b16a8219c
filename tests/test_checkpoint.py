"""A saved run goes on bit for bit, and nothing damaged is ever gone on with in silence."""

import numpy as np
import pytest
import torch
from runs import after_steps, assert_same, finished
from safetensors.torch import save_file

import vqclip_nb as vq
from docs import gallery
from vqclip_nb import run as run_module
from vqclip_nb.checkpoint import checksum, previous, read_saved
from vqclip_nb.settings import KNOBS


def test_a_saved_run_has_any_name_keeps_its_picture_and_opens_no_path(pair, small, tmp_path):
    asked = small(["a red apple", "a fox"], show_step=4, start="library")
    half = after_steps(vq.Run(pair, asked), 4)
    again = vq.Run.resume(half.save(tmp_path / "my run.state"), pair)
    assert not half.last.shown and again.last.iteration == 3
    assert np.array_equal(np.asarray(again.image), np.asarray(half.image))
    assert len(again.frames) == len(half.frames) and again.first == half.first
    tensors, metadata = read_saved(half.save(tmp_path / "a.state"))
    metadata["settings"] = half.first.replace(init_image="/etc/hostname.png").to_json()
    metadata["checksum"] = checksum(tensors, metadata)
    save_file(tensors, tmp_path / "b.state", metadata)
    with pytest.raises(vq.WeightsError, match="init_image name pictures by path, which are never"):
        vq.Run.resume(tmp_path / "b.state", pair)
    with pytest.raises(TypeError, match="height: .* keeps its settings"):
        vq.Run.resume(tmp_path / "a.state", pair, height=256)


def test_with_an_optimizer_of_ones_own_it_goes_on_at_the_same_rate(pair, small, tmp_path):
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=5, momentum=0.9, weight_decay=0.01)

    run = after_steps(vq.Run(pair, small(), optimizer=sgd), 2)
    run.change(noise_factor=0.2)
    resumed = vq.Run.resume(run.save(tmp_path / "a"), pair, optimizer=sgd)
    list(run), list(resumed)
    assert resumed.painting.optimization.optimizer.param_groups[0]["lr"] == 5
    assert resumed.frames[-1].pixels == run.frames[-1].pixels


def test_the_copy_before_is_used_when_the_newest_is_damaged(pair, small, tmp_path):
    run = after_steps(vq.Run(pair, small(total_iter=6)), 1)
    path = run.save(tmp_path / "a.state")
    after_steps(run, 1).save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(UserWarning, match="damaged.*the copy before it is used"):
        again = vq.Run.resume(path, pair)
    assert len(again.history) == 1
    list(again), list(run)
    assert again.frames[-1].pixels == run.frames[-1].pixels
    path.unlink()  # killed between the two renames
    with pytest.warns(UserWarning, match="the copy before it is used"):
        assert len(vq.Run.resume(path, pair).history) == 1
    previous(path).unlink()
    with pytest.raises(FileNotFoundError, match="no saved run"):
        vq.Run.resume(path, pair)


def test_a_run_that_slowed_down_goes_on_slowly(pair, small, tmp_path):
    with pytest.warns(UserWarning, match="one step back"):
        run = vq.Run(pair, small(learning_rate=10, weight_decay=10, total_iter=40))
        while not run.painting.slowed:
            run.step()
        resumed = vq.Run.resume(run.save(tmp_path / "a"), pair)
        assert_same(finished(resumed), finished(run))


def test_an_interrupt_at_any_line_changes_nothing(pair, small, painted, monkeypatch):
    """Interrupts where the run's own functions return, one after another."""
    quick = dict(total_iter=4, show_step=1, crops=2, height=32, width=32, ema_decay=0.9)
    whole = painted(["a fox", "an owl"], **quick)
    places = [
        (run_module, "thin_states"),
        (vq.Run, "_begin"),
        (vq.Frame, "keep"),
        (type(whole.painting), "step"),
        (type(whole.painting), "pixels"),
        (type(whole.painting.optimization), "_average"),
        (type(whole.painting.optimization), "step"),
        (type(whole.painting.optimization.optimizer), "step"),
    ]
    run, cuts = vq.Run(pair, small(["a fox", "an owl"], **quick)), 0
    for owner, name in places * 2:
        real = getattr(owner, name)

        def cut(*args, real=real, **options):
            real(*args, **options)
            raise KeyboardInterrupt

        with monkeypatch.context() as m:
            m.setattr(owner, name, cut)
            try:
                run.step()
            except KeyboardInterrupt:
                cuts += 1
        if len(run.history) < 7:
            run.step()
    assert cuts >= 12
    assert_same(finished(run), whole)


# What a setting needs to have an effect, and values of it, of which the last is not the usual one.
ROWS = gallery.ROWS | {
    "total_iter": (gallery.ALONE, [5]),
    "precision": (gallery.ALONE, ["half"]),
    "random": (gallery.ALONE, ["cpu"]),
    "show_step": (gallery.ALONE, [1]),
    "show_from": (gallery.ALONE, [2]),
}


@pytest.mark.parametrize("name", KNOBS)
def test_every_setting_goes_on_to_the_same_bytes(pair, tmp_path, name):
    common, values = ROWS[name]
    quick = dict(total_iter=4, crops=2, height=32, width=32, show_step=2)
    run = after_steps(vq.Run(pair, vq.Settings(**{**common, **quick, name: values[-1]})), 2)
    if name == "loosen":
        run.change(include=["an owl"])
    resumed = vq.Run.resume(run.save(tmp_path / "a.state"), pair)
    assert_same(finished(resumed), finished(run))
