"""What no setting, recipe, saved run or weight file may do, tried at random: an error of an
undocumented kind, or, of a weight file, anything but being read.

    python tests/fuzz.py --minutes 60

The tests call the same functions with a few tries each.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_weights import damaged, weights
from PIL import Image, PngImagePlugin

import vqclip_nb as vq
from vqclip_nb.settings import KNOBS, TYPES

ODD = [
    None, True, -1, 0, 1e-46, 1e39, -1e308, float("nan"), float("inf"), 10**400, "", " ", "|", ":",
    "\x00", "\ud800", "a" * 3000, [], [[]], {}, b"x", 2.5, "a fox", "a fox:1e39 | snow:-1e-46",
    "x" * 200, "a|b|c:0", "nowhere.png", "data:image/png;base64,AAAA", "🦊🏽‍🚀", "${oc.env:HOME}",
]  # fmt: skip
TINY = dict(total_iter=2, crops=2, height=16, width=16, show_step=1)
Tries = Callable[[random.Random, vq.Pair, Path], str]
LISTED = {
    "attributes": ["red: 0.5", "small", "big: -1", "a line drawing: 1", "red: 2", "huge", ":"],
    "palette": ["navy", "#ff8800", "gold", "nothing"],
    "regions": ["left: a fox", "0 0 .5 1: snow", "nowhere: a fox"],
}


def a_value(name: str, rng: random.Random) -> Any:
    """One that is allowed, or on the border, or odd."""
    knob, kind = KNOBS[name], TYPES[name]
    if rng.random() < 0.15:
        return rng.choice(ODD)
    if knob.choices:
        return rng.choice(knob.choices)
    if kind == "bool":
        return rng.random() < 0.5
    if name in LISTED:
        return rng.choices(LISTED[name], k=rng.randint(0, 3))
    if knob.high is None:
        words = ["a fox", "snow", "ocean", "🦊", "a red apple:2", "unheard", "a|b", "tree:-1"]
        text = " | ".join(rng.sample(words, rng.randint(1, 3)))
        return "" if name.endswith("_image") else [text] if name == "include" else text
    border = rng.choice([knob.low, knob.high, rng.uniform(knob.low, knob.high), rng.gauss(0, 9)])
    return int(border) if kind == "int" and rng.random() < 0.9 else border


def settings(rng: random.Random, pair: vq.Pair, folder: Path) -> str:
    """Any settings give two steps of finite numbers, or an error that names the field."""
    names = rng.sample(list(KNOBS), rng.randint(1, 6))
    values = {name: a_value(name, rng) for name in names} | TINY
    values = {"include": ["a fox"], "start": "library"} | values
    try:
        made = vq.Settings(**values)
    except ValueError as e:
        assert any(name in str(e) for name in names), (values, e)
        return "refused"
    assert vq.Settings.from_json(made.to_json()) == made
    try:
        run = vq.Run(pair, made)
    except (ValueError, FileNotFoundError) as e:  # weights that cancel, no picture, no word known
        assert str(e)
        return "refused"
    for frame in run:
        assert math.isfinite(frame.loss) and math.isfinite(frame.similarity), values
    assert run.done
    return "painted"


def recipes(rng: random.Random, pair: vq.Pair, folder: Path) -> str:
    """Any recipe gives settings, or a ValueError."""
    base = json.loads(vq.Settings(include=["a fox"], start="library", **TINY).to_json())
    recipe: Any = {"made_by": "vqclip_nb", "form": 2, "settings": base, "hashes": pair.hashes}
    recipe |= {"steps": 1, "changes": []}
    for _ in range(rng.randint(1, 4)):
        target = rng.choice([recipe, base])
        target[rng.choice(list(target))] = rng.choice(ODD[:13] + ODD[14:])
    if rng.random() < 0.05:
        recipe = rng.choice(ODD[:10])
    text = json.dumps(recipe, default=str)
    if rng.random() < 0.2:
        text = text[: rng.randrange(len(text) + 1)]
    info = PngImagePlugin.PngInfo()
    info.add_itxt("vqclip_nb", text)
    path = folder / "a.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    if rng.random() < 0.3:
        path.write_bytes(damaged(path.read_bytes(), rng))
    try:
        vq.open_recipe(path)
        vq.replay(path, pair)
        return "painted"
    except ValueError as e:
        assert str(e)
        return "refused"


def saved_runs(rng: random.Random, pair: vq.Pair, folder: Path) -> str:
    """A saved run with any damage is refused; nothing goes on differently in silence."""
    path = folder / "whole.state"
    if not path.exists():
        run = vq.Run(pair, vq.Settings(include=["a fox"], start="library", **TINY))
        run.step()
        run.save(path)
    content = damaged(path.read_bytes(), rng)
    other = folder / "damaged.state"
    other.write_bytes(content)
    try:
        vq.Run.resume(other, pair)
    except vq.WeightsError as e:
        assert str(e)
        return "refused"
    assert content == path.read_bytes()
    return "read"


FUZZERS: dict[str, Tries] = {f.__name__: f for f in (settings, recipes, saved_runs, weights)}


def fuzz(
    name: str, pair: vq.Pair, *, tries: int = 0, seconds: float = 0.0, seed: int = 0
) -> Counter[str]:
    """What became of inputs: how many were painted, read, refused. What else happens is raised."""
    counts, until = Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while counts.total() < tries or time.monotonic() < until:
            rng = random.Random(f"{seed} {counts.total()}")
            try:
                counts[FUZZERS[name](rng, pair, Path(folder))] += 1
            except BaseException:
                print(f"{name}, seed {seed}, try {counts.total()}", file=sys.stderr)
                raise
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(np.random.default_rng().integers(2**31)))
    asked = parser.parse_args()
    pair = vq.load_pair("emoji", device="cpu")
    for name in FUZZERS:
        share = 60 * asked.minutes / len(FUZZERS)
        print(f"{name}: {dict(fuzz(name, pair, seconds=share, seed=asked.seed))}, else nothing")


if __name__ == "__main__":
    main()
