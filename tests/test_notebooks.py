"""Notebooks: the reviewed .py and the stored .ipynb agree, nothing is stored in them, all run."""

import shutil
from pathlib import Path

import jupytext
import nbformat
import pandas
import papermill
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


@pytest.mark.parametrize("name", NAMES)
def test_pairs_agree(name):
    reviewed = jupytext.read(FOLDER / f"{name}.py")
    stored = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    assert [(c.cell_type, c.source) for c in reviewed.cells] == [
        (c.cell_type, c.source) for c in stored.cells
    ], "run: make docs"
    assert [c.metadata.get("tags") for c in reviewed.cells] == [
        c.metadata.get("tags") for c in stored.cells
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_no_widget_state_short_cells(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            limit = 15 if "install" in cell.metadata.get("tags", []) else 10
            assert len(cell.source.splitlines()) <= limit, cell.source


def test_every_notebook_is_paired():
    assert NAMES and NAMES == sorted(p.stem for p in FOLDER.glob("*.ipynb"))


def test_training_says_so_where_npm_is_missing(monkeypatch, tmp_path):
    cells = jupytext.read(FOLDER / "4_train_a_pair.py").cells
    [cell] = [c.source for c in cells if "npm" in c.source and c.cell_type == "code"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AssertionError, match="npm is missing: install Node.js"):
        exec(cell, {"Path": Path, "DATA": str(tmp_path / "data"), "shutil": shutil})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_from_top_to_bottom(name, tmp_path, sprites):
    short = SHORT.get(name, {}) | (dict(DATA=str(sprites)) if name == "4_train_a_pair" else {})
    done = papermill.execute_notebook(
        FOLDER / f"{name}.ipynb", tmp_path / "done.ipynb", short, progress_bar=False, cwd=tmp_path
    )
    shown = [o.get("data", {}) for c in done.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in data for data in shown), "no picture was shown"
    if name == "1_studio":
        assert {"picture.png", "picture.gif"} <= {p.name for p in tmp_path.iterdir()}
    if name == "3_experiments":
        assert (tmp_path / "grid" / "morph.gif").is_file()
        rows = pandas.read_csv(tmp_path / "experiments.csv", keep_default_na=False)
        assert list(rows.experiment.unique())[:2] == ["table", "where"]
        assert (rows.error == "").all() and "picture" not in rows
