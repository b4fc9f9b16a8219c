"""Grids: every combination once, in order, whatever fails, stops or dies on the way."""

import concurrent.futures
import errno
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from crafting import picture
from PIL import Image

import vqclip_nb as vq
import vqclip_nb.experiments.grid as module
from vqclip_nb.experiments import workers
from vqclip_nb.recipe import read_recipe

FEW = ["a red apple", "a fox", "a house", "a blue heart"]
COPIED = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
SMALL = dict(include="a red apple", total_iter=3, crops=4, height=32, width=32)
SMALL |= dict(start="noise", prior=0.0)  # the loop alone: what a grid does, not how it looks


@pytest.fixture
def run(pair, tmp_path):
    """`vq.grid` with settings of a second; keywords change them."""

    def grid(source=pair, **changes):
        own = dict(folder=tmp_path / "grid", distractors=FEW)
        return vq.grid(source, **{**own, **SMALL, **changes})

    return grid


@pytest.fixture
def painted(monkeypatch):
    """Knows every run that is really made, in this process."""
    monkeypatch.setattr(workers, "Run", Mock(wraps=vq.Run))
    return workers.Run


def open_and_count(path):
    """A pair, and a line in `path` that says which process opened it."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    torch.set_num_threads(1)
    return vq.load_pair("emoji", device="cpu")


def grid_of_four(folder):
    """A whole grid, for a process of its own."""
    torch.set_num_threads(1)
    own = dict(folder=folder, distractors=FEW, judge=None)
    return vq.grid("emoji", **own, **SMALL, seed=range(4))


def same(one, two):
    """Equal but for the time it took."""
    columns = [c for c in one.columns if c not in ("seconds", "picture")]
    assert one[columns].equals(two[columns])
    for a, b in zip(one.picture, two.picture, strict=True):
        assert np.array_equal(np.asarray(Image.open(a)), np.asarray(Image.open(b)))


def test_lists_of_any_kind_expand_in_order():
    lists = dict(include=["a fox", "a cat"], learning_rate=np.array([0.1, 0.2]), seed=range(2))
    made = module.combinations(**lists, crops=np.int64(4))
    expected = itertools.product(("a fox", "a cat"), (0.1, 0.2), (0, 1))
    assert [(s.include[0], s.learning_rate, s.seed) for s in made] == [*expected]
    assert {s.crops for s in made} == {4}
    (one,) = module.combinations(include="a fox", regions=["left: a cat", "right: a dog"])
    assert one.regions == ["left: a cat", "right: a dog"]
    two = module.combinations(include="a fox", palette=[["navy", "red"], []])
    assert [s.palette for s in two] == [["navy", "red"], []]


@pytest.mark.parametrize(
    "wrong, error, says",
    [
        (dict(learning_rate=[0.5, 50]), ValueError, "learning_rate=50"),
        (dict(activation=["relu", "gelu"]), ValueError, "'gelu' is not known"),
        (dict(learning_rat=[0.5]), TypeError, "did you mean 'learning_rate'"),
        (dict(seed=[]), ValueError, "seed=.*at least one"),
        (dict(include=["a fox", " "]), ValueError, "include"),
        (dict(include=[["a fox", "a cat"]]), ValueError, "include"),
        (dict(judge="emojy"), ValueError, "judge 'emojy' is not known"),
        (dict(source="emojy"), ValueError, "pair 'emojy' is not known: choose one of emoji, im"),
        (dict(executor=ProcessPoolExecutor(1)), ValueError, "give a name"),
    ],
)
def test_bad_input_raises_before_any_work(run, painted, tmp_path, wrong, error, says):
    with pytest.raises(error, match=says):
        run(**wrong)
    assert not painted.called and not (tmp_path / "grid").exists()


def test_rows_tell_settings_scores_and_picture(run, pair, tmp_path):
    frame = run(include=["a red apple", "a blue heart"], seed=[4, 3])
    assert list(frame.include) == ["a red apple"] * 2 + ["a blue heart"] * 2
    assert list(frame.seed) == [4, 3, 4, 3]
    assert frame.similarity.between(-1, 1).all() and frame.judge.between(-1, 1).all()
    assert frame["rank"].between(1, len(FEW)).all() and (frame.seconds > 0).all()
    assert (frame.error == "").all()
    alone = vq.Run(pair, vq.Settings(**SMALL, seed=3))
    list(alone)
    picture = frame.picture[1]
    assert picture.parent == tmp_path / "grid"
    assert np.array_equal(np.asarray(Image.open(picture)), np.asarray(alone.image))
    assert vq.open_recipe(picture) == alone.first
    assert read_recipe(picture)["hashes"] == pair.hashes
    assert run(judge=None, distractors=["a fox"]).judge.isna().all()


def test_what_is_done_is_done_again_for_other_weights_and_distractors_alone(
    run, painted, tmp_path, pair, monkeypatch
):
    first = run(seed=[0, 1])
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "grid").iterdir()}
    again = run(seed=[0, 1])
    assert painted.call_count == 2 and again.equals(first)  # the seconds of then, too
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "grid").iterdir()}
    more = run(seed=[2, 1, 1, 0])
    assert [call.args[1].seed for call in painted.call_args_list] == [0, 1, 2]
    assert list(more.seed) == [2, 1, 1, 0] and more.picture[1] == more.picture[2]
    run(distractors=["a cat"])
    monkeypatch.setattr(pair, "vqgan_hash", "other")
    run()
    assert painted.call_count == 5
    monkeypatch.setattr(pair, "vqgan_hash", "")
    with pytest.raises(ValueError, match="no hashes"):
        run()


def test_settings_left_empty_are_the_pairs(run, painted, pair, monkeypatch):
    frame = run()
    defaults = pair.own_defaults
    assert frame.learning_rate[0] == defaults["learning_rate"]
    assert frame.height[0] == 32 and frame.notna().drop(columns="picture").all(axis=None)
    run(learning_rate=defaults["learning_rate"])  # said aloud, it is the same
    assert painted.call_count == 1
    monkeypatch.setattr(pair, "own_defaults", {**defaults, "learning_rate": 0.4})
    other = run()
    assert painted.call_count == 2 and other.learning_rate[0] == 0.4
    assert other.picture[0] != frame.picture[0]


def test_a_picture_that_gave_up_says_so_and_is_kept(run, painted):
    wild = dict(learning_rate=[10, 0.1], weight_decay=10, total_iter=26, crops=1)
    with pytest.warns(UserWarning, match="stopped; the last good picture is kept"):
        frame = run(**wild)
    assert frame.note[0].startswith("diverged: stopped after") and frame.note[1] == ""
    assert np.asarray(Image.open(frame.picture[0])).any() and frame["rank"].notna().all()
    assert run(**wild).equals(frame) and painted.call_count == 2


GOOD = dict(similarity=0.5, judge=None, rank=1, seconds=0.1, note="", recipe={}, png=picture())
HOSTILE = {
    "nothing": None,
    "no png": {k: v for k, v in GOOD.items() if k != "png"},
    "not a number": GOOD | {"similarity": float("nan")},
    "too good": GOOD | {"similarity": 7.0},
    "rank of truth": GOOD | {"rank": True},
    "rank zero": GOOD | {"rank": 0},
    "huge number": GOOD | {"seconds": 10**5000},
    "a text for a number": GOOD | {"judge": "0.5"},
    "a list for a note": GOOD | {"note": ["diverged"]},
    "not a picture": GOOD | {"png": b"PNG"},
    "half a picture": GOOD | {"png": GOOD["png"][:60]},
    "another format": GOOD | {"png": picture("JPEG")},
    "a bomb": GOOD | {"png": picture(size=(4097, 4096))},
    "a recipe that cannot be written": GOOD | {"recipe": {"settings": {1, 2}}},
}


def test_answers_of_hostile_workers_are_rows_with_an_error(run, monkeypatch):
    real, hostile = module.paint, list(HOSTILE.values())

    def forged(settings, *more):
        at = settings.seed
        return hostile[at] if at < len(hostile) else real(settings, *more)

    monkeypatch.setattr(module, "paint", forged)
    frame = run(seed=range(len(hostile) + 1))
    wrong = {n: e for n, e in zip(HOSTILE, frame.error[:-1], strict=True) if not e}
    assert not wrong and frame[["similarity", "judge", "rank"]][:-1].isna().all(axis=None)
    assert frame.error.iloc[-1] == "" and frame["rank"].iloc[-1] >= 1
    monkeypatch.setattr(module, "paint", real)
    assert (run(seed=range(3)).error == "").all()


def test_a_damaged_or_forged_result_is_made_again(run, painted):
    first = run()
    picture = first.picture[0]
    path = picture.with_suffix(".json")
    text, content = path.read_text(), picture.read_bytes()
    forged = json.dumps(json.loads(text) | {"sha256": hashlib.sha256(bytes(300)).hexdigest()})
    texts = ["", "[" * 10_000, '{"similarity": 1e999}', "null", text[:-20]]
    damaged = [(words, content) for words in texts]
    for words, pixels in [*damaged, (text, content[:-20]), (forged, bytes(300))]:
        path.write_text(words)
        picture.write_bytes(pixels)
        same(run(), first)
    picture.unlink()
    same(run(), first)
    if hasattr(os, "mkfifo"):  # waiting for a pipe would never end
        path.unlink()
        os.mkfifo(path)
        same(run(), first)
    assert painted.call_count == 9 + hasattr(os, "mkfifo")
    picture.unlink()
    picture.mkdir()
    assert "is a folder" in run().error[0]


def test_a_full_disk_ends_the_grid_and_says_so(run, painted, monkeypatch):
    run(seed=[0])
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(Path, "replace", Mock(side_effect=full))
    with pytest.raises(OSError, match="the disk is full"):
        run(seed=[0, 1, 2])
    assert painted.call_count == 2
    monkeypatch.undo()
    assert (run(seed=[0, 1, 2]).error == "").all()


@pytest.mark.slow
def test_two_grids_at_once_share_a_folder(tmp_path):
    with ProcessPoolExecutor(2, mp_context=COPIED) as executor:
        one, two = executor.map(grid_of_four, [tmp_path, tmp_path])
    same(one, two)
    assert (one.error == "").all() and (two.error == "").all()
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json"] * 4 + [".png"] * 4


def test_a_failed_cell_is_a_row_and_is_tried_again(run, tmp_path):
    start = tmp_path / "start.png"
    frame = run(init_image=[str(start), ""])
    assert "FileNotFoundError" in frame.error[0] and "start.png" in frame.error[0]
    assert frame.picture[0] is None and np.isnan(frame.similarity[0])
    assert frame.error[1] == "" and frame.picture[1].is_file()
    start.write_bytes(picture())
    again = run(init_image=[str(start), ""])
    assert (again.error == "").all() and again.seconds[1] == frame.seconds[1]


def test_a_cell_that_failed_on_dask_is_tried_again(run, tmp_path):
    from distributed import Client

    start, how = tmp_path / "start.png", dict(processes=False, dashboard_address=None)
    with Client(n_workers=1, threads_per_worker=1, **how) as client:
        executor, held = client.get_executor(), []
        submit = executor.submit  # an interrupted call's traceback holds its futures, too
        executor.submit = lambda *job: held.append(submit(*job)) or held[-1]
        for failed in (True, False):
            assert bool(run("emoji", init_image=str(start), executor=executor).error[0]) == failed
            start.write_bytes(picture())


def test_an_interrupt_keeps_what_is_done(run, painted, fail, tmp_path):
    fail(module, "paint", KeyboardInterrupt, 2)
    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        run(seed=range(40), executor=executor)
    before = painted.call_count
    assert 2 <= before <= 20  # the rest was cancelled
    frame = run(seed=range(4))
    assert before < painted.call_count + 1 <= before + 3
    with ThreadPoolExecutor(2) as executor:
        same(run(seed=range(4), executor=executor, folder=tmp_path / "threads"), frame)


def test_a_warning_is_said_once(run):
    with pytest.warns(UserWarning) as said:
        run(height=[33], seed=range(3))
    assert [str(w.message)[:20] for w in said].count("33×32 becomes 32×32:") == 1
    assert all(w.filename == __file__ for w in said)  # it points at the call
    with warnings.catch_warnings(action="error"):
        run(height=[33], seed=range(3))  # nothing to do, nothing to say


@pytest.mark.slow
def test_a_killed_worker_costs_no_row(run, tmp_path):
    log, folder = tmp_path / "opened", tmp_path / "killed"
    source = functools.partial(open_and_count, log)

    def kill():
        """The worker that opened the pair last, as soon as a result has landed."""
        end = time.monotonic() + 120
        while not list(folder.glob("*.json")) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(int(log.read_text().split()[-1]), signal.SIGKILL)

    with ProcessPoolExecutor(2, mp_context=COPIED) as executor, ThreadPoolExecutor(1) as killer:
        killed = killer.submit(kill)
        with pytest.warns(UserWarning, match="a worker died.* left are done one at a time"):
            frame = run(source, seed=range(6), total_iter=8, executor=executor, folder=folder)
        killed.result(10)
        with pytest.raises(concurrent.futures.BrokenExecutor):
            executor.submit(os.getpid).result()
        with pytest.warns(UserWarning, match="a worker died"):  # this executor is of no use again
            more = run(source, seed=range(7), total_iter=8, executor=executor, folder=folder)
    opened = log.read_text().split()
    assert len(set(opened)) == len(opened)  # each process opens the pair once
    assert list(frame.seed) == list(range(6)) and (frame.error == "").all()
    assert (more.error == "").all() and more[:6].equals(frame)
    same(run(seed=range(6), total_iter=8), frame)
