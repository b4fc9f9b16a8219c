"""docs/minimal.py: the report's method in one file paints, in the report's order."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

MINIMAL = Path(__file__).parents[1] / "docs" / "minimal.py"


@pytest.mark.slow
def test_it_paints_a_gif_whose_loss_falls(tmp_path):
    out = tmp_path / "fox.gif"
    words = ["a fox", "a fox", "--extras", "a red fox", "--exclude", "a cat", "--total-iter", "12"]
    done = subprocess.run(
        [sys.executable, MINIMAL, *words, "--size", "64", "--out", out],
        capture_output=True,
        text=True,
        check=True,
    )
    losses = [float(v) for v in re.findall(r"iteration \d+, loss (\S+)", done.stdout)]
    with Image.open(out) as gif:
        assert gif.n_frames == len(losses) == 6 and gif.size == (64, 64)
    assert losses[2] < losses[0] and losses[5] < losses[3]


def test_it_follows_the_figures_in_at_most_120_lines():
    text = MINIMAL.read_text("utf8")
    figures = [int(n) for line in re.findall("# Figure.*:", text) for n in re.findall(r"\d+", line)]
    assert figures == list(range(9, 17)) and len(text.splitlines()) <= 120
