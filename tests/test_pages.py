"""The site of `make pages`: all of it is there; MkDocs is strict about links."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vqclip_nb as vq

ROOT = Path(__file__).parents[1]


def test_every_public_name_says_what_it_is():
    for name in vq.__all__:
        thing = getattr(vq, name)
        if not callable(thing):
            continue
        assert inspect.getdoc(thing), name
        for part, method in inspect.getmembers(thing, inspect.isfunction):
            ours = method.__module__.startswith("vqclip_nb")
            if not part.startswith("_") and ours and inspect.isclass(thing):
                assert inspect.getdoc(method), f"{name}.{part}"


@pytest.mark.slow
def test_the_site_has_every_page(tmp_path):
    for needed in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(needed)
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for page in site.rglob("*.html"):
        assert not re.search(r'(href|src)="(?!git\+)[^"]*YOUR_NAME', page.read_text("utf8")), page
    api = (site / "reference" / "api" / "index.html").read_text("utf8")
    for name in vq.__all__:
        assert f">{name}<" in api, name
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (site / "tutorials" / notebook.stem / "index.html").is_file()
    assert "--learning-rate" in (site / "reference/command_line/index.html").read_text("utf8")
