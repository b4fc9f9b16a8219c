"""Random settings, recipes, saved runs and weight files: what is expected or a documented error
(see fuzz.py)."""

import os
from pathlib import Path

import fuzz_weights
import pytest
from fuzz import fuzz

LONG = pytest.param("weights", 4_000, marks=pytest.mark.slow)
FEW = [("settings", 20), ("recipes", 40), ("saved_runs", 100), ("weights", 150), LONG]


@pytest.mark.parametrize(("name", "tries"), FEW)
def test_nothing_undocumented_happens(pair, name, tries):
    seed = int.from_bytes(os.urandom(4)) if name == "weights" else 0
    counts = fuzz(name, pair, tries=tries, seed=seed)
    assert counts.total() == tries
    assert name != "weights" or tries / 2 < counts["refused"] < tries


def test_code_that_is_run_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz_weights, "read_state", lambda path: os.mkdir(path.with_name("made")))
    with pytest.raises(AssertionError, match="os.mkdir"):
        fuzz_weights.read_one(Path(tmp_path) / "a.pt", b"")
