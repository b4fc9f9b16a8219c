"""A few seconds of what `python tests/fuzz_weights.py` does for as long as you like."""

from __future__ import annotations

import os

import fuzz_weights
import pytest


def test_no_damaged_file_does_more_than_be_refused():
    told: list[str] = []
    counts = fuzz_weights.fuzz(4, seed=int.from_bytes(os.urandom(4)), report=told.append)
    assert not told, told[0]
    assert counts["files"] > 100 and counts["refused"] > 50 and counts["read"] > 0


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda path: open("written", "w").close(), "files written"),
        (lambda path: os.mkdir("made"), "code executed"),
        (lambda path: {}["gone"], "undocumented exceptions"),
    ],
)
def test_it_would_notice(monkeypatch, harm, what):
    """Readers that do harm, to see that the count is not always 0."""
    monkeypatch.setattr(fuzz_weights, "read_state", harm)
    assert fuzz_weights.fuzz(0.2)[what] > 0
