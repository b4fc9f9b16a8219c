"""Every block of code in the pages runs, but for what is `SHORTER`; so does every notebook."""

import dataclasses
import functools
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas
import pytest
from crafting import noisy

import vqclip_nb as vq
from vqclip_nb.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SMALL = dict(total_iter=6, crops=2, height=64, width=64, show_step=2, start="noise", prior=0.0)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.M | re.S)
SHORTER = {"seed=range(5)": "seed=[0]", "--steps 100": "--steps 3", "width=192": "width=128"}
OPTIONAL = {"torch.utils.tensorboard": "tensorboard", "wandb": "wandb"}


def blocks(page):
    return BLOCK.findall(page.read_text("utf8"))


@pytest.fixture
def quick(pair, tmp_path, cache, monkeypatch):
    """In an empty folder; a pair whose own defaults finish soon, and the files that pages name."""
    small = dataclasses.replace(pair, own_defaults={**pair.own_defaults, **SMALL})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vq, "load_pair", lambda name="emoji", device=None, **options: small)
    grid = functools.partial(vq.grid, distractors=["an owl"], **SMALL)
    monkeypatch.setattr(vq, "grid", grid, raising=False)
    for name in ("clip.safetensors", "vqgan.safetensors"):
        shutil.copy(ROOT / "vqclip_nb" / "emoji" / name, tmp_path)
    noisy("waves.jpg")
    return small


def make_certificates():
    """Those of somebody who signs and of an authority, with the key."""
    new = "openssl req -x509 -nodes -newkey ec -pkeyopt group:P-256"
    for who, own in (
        ("authority", "keyUsage=critical,keyCertSign"),
        ("somebody", "keyUsage=critical,digitalSignature -addext extendedKeyUsage=emailProtection"),
    ):
        files = f"-keyout {who}.key -out {who}.pem -subj /CN={who}/O={who} -addext {own}"
        subprocess.run(f"{new} {files}".split(), check=True, capture_output=True)
        new += " -CA authority.pem -CAkey authority.key -addext basicConstraints=critical,CA:FALSE"
    Path("key.pem").write_bytes(Path("somebody.key").read_bytes())
    chain = [Path(f"{who}.pem").read_text() for who in ("somebody", "authority")]
    Path("certificates.pem").write_text("".join(chain))


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p)], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_the_blocks_of_a_page_run(page, quick):
    names = {}
    if page.name == "sign.md":
        make_certificates()
    for language, code in blocks(page):
        for said, run in SHORTER.items():
            code = code.replace(said, run)
        if language == "sh":
            for line in code.splitlines():
                program, *words = shlex.split(line)
                assert program == "vqclip", f"{line}: show what is not run as a console block"
                assert main(words) == 0
        elif not any(
            f"{module} import" in code or f"import {module}" in code
            for module, package in OPTIONAL.items()
            if importlib.util.find_spec(package) is None
        ):
            exec(compile(code, str(page), "exec"), names)
    if page.name == "sign.md":
        assert names["state"] == "Valid"
        assert "red apple" in vq.open_recipe("signed.gif").include[0]


def test_every_page_with_code_is_run():
    """No block escapes by the name of its language."""
    for page in PAGES:
        fences = re.findall(r"^```(\w*)$", page.read_text("utf8"), re.M)
        own = {"py"} if page.name == "gallery.md" else set()  # run by test_kept.py
        assert set(fences) <= {"", "python", "sh", "console", *own}, page.name


# -- notebooks

FOLDER = ROOT / "notebooks"
NAMES = sorted(p.stem for p in FOLDER.glob("*.py"))
SHORT = {  # parameters that finish soon; the notebooks run in an empty folder
    "1_studio": dict(TOTAL_ITER=6, OUTPUT="."),
    "3_experiments": dict(ACTIVATIONS=["relu", "none"], LEARNING_RATES=[0.5, 3])
    | dict(SIZE=32, CROPS=2, ITERATIONS=2, CSV="experiments.csv"),
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
    done, parameters = tmp_path / "done.ipynb", ["-y", json.dumps(short), "--no-progress-bar"]
    command = [sys.executable, "-m", "papermill", FOLDER / f"{name}.ipynb", done, *parameters]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=one_thread, capture_output=True, text=True)
    assert not ran.returncode, ran.stderr[-3000:]
    cells = nbformat.read(done, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert any("image/png" in o.get("data", {}) for o in outputs), "no picture was shown"
    if name == "1_studio":
        assert {"picture.png", "picture.gif"} <= {p.name for p in tmp_path.iterdir()}
    printed = "".join(o.get("text", "") for o in outputs)
    for figure, (low, high) in PRINTED.get(name, {}).items():
        found = re.findall(figure, printed)
        assert found and all(low <= float(n) <= high for n in found), (figure, found)
    if name == "3_experiments":
        assert (tmp_path / "grid" / "morph.gif").is_file()
        rows = pandas.read_csv(tmp_path / "experiments.csv", keep_default_na=False)
        assert list(rows.experiment.unique())[:2] == ["table", "where"]
        assert (rows.error == "").all() and "picture" not in rows
