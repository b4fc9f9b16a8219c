"""The command line: options made from `Settings`, the files asked for; Ctrl-C loses nothing."""

import _thread
import dataclasses
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.__main__ import main, make_parser, notebooks

ROOT = Path(__file__).parents[1]
QUICK = "--steps 3 --crops 4 --size 64 --show-step 1 --start-from library --no-finish".split()


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path, pair):
    """In an empty folder, with the pair that is loaded already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vq, "load_pair", lambda name, device=None: pair)


def test_paints_what_was_asked_for_and_every_setting_is_an_option(capsys, pair):
    words = ["a fox", *QUICK, "--avoid", "snow", "--no-quantize", "--seed", "7", "--out", "fox.gif"]
    assert main([*words, "--out", "fox.png", "--learning-rate=.1"]) == 0
    assert capsys.readouterr().out.split() == ["fox.gif", "fox.png"]
    assert Image.open("fox.gif").n_frames == 3 and Image.open("fox.png").size == (64, 64)
    quick = dict(total_iter=3, crops=4, height=64, width=64, show_step=1, start="library")
    quick |= dict(finish=False)
    own = dict(exclude="snow", quantize=False, seed=7, learning_rate=0.1)
    asked = vq.Settings(include=["a fox"], **quick, **own)
    defaults = pair.own_defaults
    assert vq.open_recipe("fox.png").for_pair(defaults) == asked.for_pair(defaults)
    options = {word for action in make_parser()._actions for word in action.option_strings}
    for f in dataclasses.fields(vq.Settings):
        assert f.name == "include" or f"--{f.name.replace('_', '-')}" in options


def test_a_preset_can_be_changed_and_names_are_those_that_no_file_has(capsys):
    assert main(["a fox", "--preset", "draft", *QUICK]) == 0
    assert vq.open_recipe("a-fox.png").crops == 4
    for _ in range(2):
        assert main(["a cat", "an owl", "a cat", *QUICK, "--seed", "-1"]) == 0
    assert "painted once" in capsys.readouterr().err
    names = "a-fox a-cat-1 a-cat-2 a-cat-2-1 a-cat-2-2".split()
    assert {p.name for p in Path().iterdir()} == {f"{name}.png" for name in names}


@pytest.mark.parametrize(
    "words, told",
    [
        ([], "say what to paint"),
        (["a fox", "--steps", "0"], "--iterations=0 is out of range: allowed is 1 to 10000"),
        (["a fox", "--steps", "many"], "--iterations='many': give a whole number"),
        (["a fox", "--activation", "relux"], "choose one of sine, none, relu"),
        (["a fox", "--size", "9"], "--height=9 is out of range"),
        (["a fox", "--out", "nowhere/fox.png"], "there is no folder nowhere"),
        (["a fox", "--out", "fox.jpg"], "must end in .png, .gif, .mp4"),
        (["a fox", "--out", "folder.png"], "--out folder.png: that is a folder"),
        (["xqzt"], "knows none of its words"),
    ],
)
def test_says_what_is_wrong_and_paints_nothing(words, told, capsys, tmp_path):
    (tmp_path / "folder.png").mkdir()
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    assert status in (1, 2) and told in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.slow
@pytest.mark.parametrize("environment", [dict(PYTHONIOENCODING="cp1252"), dict(LC_ALL="POSIX")])
@pytest.mark.skipif(sys.platform != "linux", reason="others have no such locale")
def test_a_prompt_outside_ascii_is_painted_and_written(tmp_path, environment):
    command = [sys.executable, "-m", "vqclip_nb", "a fox 狐", *QUICK]
    environment |= {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=os.environ | environment, cwd=tmp_path, check=True)
    assert vq.open_recipe(tmp_path / "a-fox-狐.png").include == ["a fox 狐"]


def test_ctrl_c_keeps_the_picture_so_far(capsys, monkeypatch, request):
    step = vq.Run.step

    def stepped(run):
        if len(run.history) == 12:
            _thread.interrupt_main()
        return step(run)

    monkeypatch.setattr(vq.Run, "step", stepped)
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # off in a shell's background
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, heard))
    long = ["--steps", "10000", "--crops", "1", "--size", "32", "--start-from", "library"]
    assert main(["a fox", *long, "--out", "fox.png", "--out", "fox.gif"]) == 130
    assert capsys.readouterr().out.split() == ["fox.png", "fox.gif"]
    assert Image.open("fox.gif").n_frames > 1 and vq.open_recipe("fox.png").total_iter == 10_000


def test_a_failed_file_or_memory_that_ends_does_not_cost_what_is_painted(capsys, fail):
    Path("both-1.png").mkdir()
    assert main(["a fox", "a cat", *QUICK, "--out", "both.png", "--out", "both.gif"]) == 1
    assert Path("both.gif").is_file() and Path("both-2.png").is_file()
    assert "both-1.png could not be written" in capsys.readouterr().err
    fail(vq.Run, "step", MemoryError("the memory is full"), 2)
    assert main(["a fox", *QUICK, "--out", "fox.png"]) == 1
    assert "the memory is full" in capsys.readouterr().err
    assert Image.open("fox.png").size == (64, 64)


def test_studio_copies_the_notebooks_and_overwrites_nothing(capfd, tmp_path, monkeypatch):
    Path("mine").mkdir()
    Path("mine/1_studio.ipynb").write_text("mine")
    assert main(["studio", "--folder", "mine", "--version"]) == 0  # JupyterLab's version: it runs
    assert Path("mine/1_studio.ipynb").read_text() == "mine"
    names = [p.name for p in notebooks().glob("*.ipynb")]
    assert len(names) >= 4 and {p.name for p in Path("mine").iterdir()} == set(names)
    assert str(tmp_path / "mine") in capfd.readouterr().out
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # without JupyterLab
    assert main(["studio"]) == 1
    assert "pip install jupyterlab" in capfd.readouterr().err
    assert Path("vqclip_notebooks/1_studio.ipynb").is_file()
