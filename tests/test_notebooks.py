"""Notebooks: nothing is stored in them, and all run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = sorted(p.stem for p in FOLDER.glob("*.py"))
SHORT = {  # parameters that finish soon; the notebooks run in an empty folder
    "1_studio": dict(TOTAL_ITER=6, OUTPUT="."),
    "3_experiments": dict(
        ACTIVATIONS=["relu", "none"],
        LEARNING_RATES=[0.5, 3],
        SIZE=32,
        CROPS=2,
        ITERATIONS=2,
        CSV="experiments.csv",
    ),
    "4_train_a_pair": dict(
        CLIP_STEPS=4, CLIP_BATCH=6, VQGAN_STEPS=8, VQGAN_BATCH=4, PAINT_STEPS=4, OUT="run"
    ),
}

# Figures that a notebook prints, and between which bounds they must be.
PRINTED = {
    "2_how_it_works": {
        r"a text for a picture, of 120: first (\d+)%": (70, 100),
        r"a picture for a text, of 120: first (\d+)%": (70, 100),
    },
    "5_looking_inside": {
        r"(\d+)% ± \d+% of the map on the right half": (70, 100),  # 50 is chance
        r"one pass, .*: ([\d.]+) s": (0, 1),  # a machine may be busy
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_no_widget_state_short_cells(name):
    assert sorted(p.stem for p in FOLDER.glob("*.ipynb")) == NAMES
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.accelerator == "GPU"  # what Colab starts
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            limit = 17 if "install" in cell.metadata.get("tags", []) else 10
            assert len(cell.source.splitlines()) <= limit, cell.source


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_from_top_to_bottom(name, tmp_path, sprites):
    """In an empty folder, on one thread, which is faster for networks this small."""
    short = SHORT.get(name, {}) | (dict(DATA=str(sprites)) if name == "4_train_a_pair" else {})
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--cwd", str(tmp_path)]
    command += [
        str(FOLDER / f"{name}.ipynb"),
        str(tmp_path / "done.ipynb"),
        "-y",
        json.dumps(short),
    ]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=one_thread, capture_output=True, text=True)
    assert not ran.returncode, ran.stderr[-3000:]
    done = nbformat.read(tmp_path / "done.ipynb", 4)
    shown = [o.get("data", {}) for c in done.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in data for data in shown), "no picture was shown"
    if name == "1_studio":
        assert {"picture.png", "picture.gif"} <= {p.name for p in tmp_path.iterdir()}
    printed = "".join(
        o.text for c in done.cells if c.cell_type == "code" for o in c.outputs if "text" in o
    )
    for figure, (low, high) in PRINTED.get(name, {}).items():
        found = re.findall(figure, printed)
        assert found and all(low <= float(n) <= high for n in found), (figure, found)
    if name == "3_experiments":
        assert (tmp_path / "grid" / "morph.gif").is_file()
        rows = pandas.read_csv(tmp_path / "experiments.csv", keep_default_na=False)
        assert list(rows.experiment.unique())[:2] == ["table", "where"]
        assert (rows.error == "").all() and "picture" not in rows
