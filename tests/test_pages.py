"""The site of `make pages`: all of it is there, and every link leads somewhere."""

import inspect
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

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


class Links(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, page):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(page.read_text("utf8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        self.links += [given[k] for k in ("href", "src") if given.get(k)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.slow
def test_the_site_has_every_page_and_no_dead_link(site):
    pages = {p: Links(p) for p in site.rglob("*.html") if p.name != "404.html"}
    for page, found in pages.items():
        for link in found.links:
            assert "YOUR_NAME" not in link or "git+" in link, f"{page}: {link}"
            target, _, anchor = unquote(link).partition("#")
            if "://" in target or target.startswith(("mailto:", "data:")):
                continue
            to = (page.parent / target).resolve() if target else page
            to = to / "index.html" if to.is_dir() else to
            assert to.is_file(), f"{page.relative_to(site)}: {link}"
            if anchor and to in pages and not anchor.startswith("__"):
                assert anchor in pages[to].anchors, f"{page.relative_to(site)}: {link}"
    api = (site / "reference" / "api" / "index.html").read_text("utf8")
    for name in vq.__all__:
        assert f">{name}<" in api, name
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (site / "tutorials" / notebook.stem / "index.html").is_file()
    assert "--learning-rate" in (site / "reference/command_line/index.html").read_text("utf8")
