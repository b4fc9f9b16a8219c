"""Random settings, recipes and saved runs: finite numbers or a documented error (see fuzz.py)."""

import pytest
from fuzz import FUZZERS, fuzz


@pytest.mark.parametrize(("name", "tries"), [("settings", 20), ("recipes", 40), ("saved_runs", 40)])
def test_nothing_undocumented_happens(pair, name, tries):
    assert name in FUZZERS and fuzz(name, pair, tries=tries) == tries
