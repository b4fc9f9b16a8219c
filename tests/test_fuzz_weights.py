"""Damaged and crafted files are read or refused, and do nothing else (see fuzz_weights.py)."""

from __future__ import annotations

import os

import fuzz_weights
import pytest

LONG = pytest.param(4_000, marks=pytest.mark.slow)


@pytest.mark.parametrize("tries", [150, LONG])
def test_no_damaged_file_does_more_than_be_refused(tries):
    told: list[str] = []
    counts = fuzz_weights.fuzz(tries, seed=int.from_bytes(os.urandom(4)), report=told.append)
    assert not told, told[0]
    assert counts["files"] == tries and counts["refused"] > tries / 2 and counts["read"] > 0


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda path: open("written", "w").close(), "files written"),
        (lambda path: os.mkdir("made"), "code executed"),
        (lambda path: {}["gone"], "undocumented exceptions"),
    ],
)
def test_harm_is_noticed(monkeypatch, harm, what):
    monkeypatch.setattr(fuzz_weights, "read_state", harm)
    assert fuzz_weights.fuzz(20)[what] > 0
