"""What the tests share: the pair that ships, on the CPU, and settings that finish in a second."""

import itertools
import json
import os
from pathlib import Path

# One thread for each worker of pytest-xdist: networks this small gain little from a second one.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
from runs import finished

import vqclip_nb as vq
from training.sets import STYLES


def pytest_collection_modifyitems(items):
    """The notebooks take longest: they come first, so that no core waits for one at the end."""
    items.sort(key=lambda item: "from_top_to_bottom" not in item.name)


@pytest.fixture(scope="session")
def pair() -> vq.Pair:
    return vq.load_pair("emoji", device="cpu")


@pytest.fixture(scope="session")
def library(pair):
    return pair.library


@pytest.fixture
def small():
    """Settings of a small quick run; keywords change them."""

    def make(include="a red apple", **changes) -> vq.Settings:
        quick = dict(total_iter=6, crops=4, height=64, width=64, show_step=2)
        # The loop alone, from noise, at its usual pace: what the pair prefers has its own tests.
        quick |= dict(start="noise", prior=0.0, start_strength=1, keep_edges=0, keep_colours=0)
        quick |= dict(learning_rate=0.2, ema_decay=0, loosen=0, finish=False)
        return vq.Settings(include=include, **{**quick, **changes})

    return make


@pytest.fixture
def painted(pair, small):
    """Function: a small quick run, painted to its end."""

    def paint(*include, **changes) -> vq.Run:
        return finished(vq.Run(pair, small(*include, **changes)))

    return paint


@pytest.fixture
def fail(monkeypatch):
    """Function: some calls of a function, counted from 0, raise this error in its place."""

    def fail(owner, name, error, *calls) -> None:
        real, count = getattr(owner, name), itertools.count()

        def failing(*given, **how):
            if next(count) in calls:
                raise error
            return real(*given, **how)

        monkeypatch.setattr(owner, name, failing)

    return fail


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Where the cache folder of this test will be."""
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def studio(pair, small, tmp_path, cache):
    """A Studio with a cache of its own, set to a run of eight steps."""
    return vq.Studio(pair, small(total_iter=8), folder=tmp_path)


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    """Twelve concepts in all styles: discs and bars of their own colours."""
    folder = tmp_path_factory.mktemp("emoji")
    rng = np.random.default_rng(0)
    sheet = np.zeros((len(STYLES), 12, 128, 128, 4), np.uint8)
    y, x = np.mgrid[:128, :128] - 64
    for concept in range(12):
        inside = (x**2 + y**2 < 50**2) if concept % 2 else (np.abs(x) < 12 + 2 * concept)
        for style in range(len(STYLES)):
            sheet[style, concept, inside] = [*rng.integers(0, 255, 3), 255]
    np.save(folder / "sprites.npy", sheet)
    labels = [*"apple owl car hat pen cup key bus ant fig".split(), "one o’clock", "two-thirty"]
    concepts = [{"label": name, "tags": ["thing", f"{name}ish"], "group": 3} for name in labels]
    (folder / "concepts.json").write_text(json.dumps(concepts))
    return folder
