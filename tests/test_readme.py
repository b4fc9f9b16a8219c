"""The pages that a stranger reads: short, true, from one source, and their lines run as said."""

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
import venv
from pathlib import Path
from unittest.mock import Mock

import pytest

import vqclip_nb as vq
from docs import make

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf8")
URL = re.search(r"git clone (https://\S+)", README)[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "space").glob("*.md")]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
CELL = re.compile(r'tags=\["install"\]\n(.*?)^# %%', re.M | re.S)


def blocks(language):
    """The README's code of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def test_the_readme_is_one_page_and_ci_begins_with_its_lines():
    assert len(README.splitlines()) <= 150 and len(README.split()) <= 1000
    [code] = blocks("python")
    assert len(code.split("\n\n", 1)[1].strip().splitlines()) <= 5  # and the import: six
    screen = README.splitlines()[:30]  # a picture, and the line that makes one, without scrolling
    assert any(line.startswith("![") for line in screen[:5])
    assert any(line.startswith("make demo") for line in screen)
    _, _, demo = blocks("sh")[0].splitlines()
    called = (ROOT / ".ci" / "run").read_text("utf8").splitlines()
    makes = [line for line in called if line.startswith("make")]
    assert makes == [demo, "make test-all"]


@pytest.mark.slow
def test_a_fork_changes_the_address_in_one_place(tmp_path):
    """One command; then nothing names the old address any more, and there are badges."""
    others = [ROOT / name for name in ("docs/make.py", "pyproject.toml", "CITATION.cff")]
    others += (ROOT / "space").glob("*.*")
    for page in {*PAGES, *NOTEBOOKS, *others}:
        copy = tmp_path / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(page.read_bytes())
    with pytest.raises(SystemExit, match="owner/name"):
        make.change_address("nowhere")
    command = [sys.executable, tmp_path / "docs" / "make.py", "--address", "some-one/fork.nb"]
    subprocess.run(command, check=True, capture_output=True)
    readme = (tmp_path / "README.md").read_text("utf8")
    assert "some-one/fork.nb" in readme and readme.count("[![Open in") == 4
    for page in tmp_path.rglob("*.*"):
        if page.name not in ("make.py", "pyproject.toml"):
            assert not re.search("YOUR_NAME|vqclip/vqclip_nb", page.read_text("utf8")), page


def test_pages_are_up_to_date_and_their_links_lead_somewhere(pair):
    assert make.main(check=True) == 0, "run make docs"
    for page in [ROOT / "README.md", *NOTEBOOKS]:  # without an address there are no badges
        text = page.read_text("utf8")
        assert ("[![Open in" in text) != ("make address REPO" in text), page
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
    [said] = re.findall(r"knows ([\d,]+) English words", README)
    assert int(said.replace(",", "")) == len(pair.clip.vocabulary.words)


def test_every_public_name_says_what_it_is():
    for name in vq.__all__:
        thing = getattr(vq, name)
        methods = inspect.getmembers(thing, inspect.isfunction) if inspect.isclass(thing) else []
        ours = [m for n, m in methods if n[0] != "_" and m.__module__.startswith("vqclip_nb")]
        for one in [thing, *ours]:
            assert not callable(one) or inspect.getdoc(one), f"{name}: {one}"


@pytest.mark.slow
def test_the_site_has_every_page(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    api = (site / "reference" / "api" / "index.html").read_text("utf8")
    for name in vq.__all__:
        assert f">{name}<" in api, name
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (site / "tutorials" / notebook.stem / "index.html").is_file()


@pytest.fixture
def cell(monkeypatch, tmp_path):
    """Runs the install cell in `folder`; returns what it asks pip for, or None."""
    source = CELL.search(NOTEBOOKS[0].read_text("utf8"))

    def run(folder=tmp_path, *, here=False, colab=None, address=None):
        asked = []
        shell = types.SimpleNamespace(run_line_magic=lambda magic, line: asked.append(line))
        monkeypatch.chdir(folder)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: "found" if here else None)
        if colab is not None:
            monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
            monkeypatch.setattr("socket.gethostbyname", lambda name: "172.28.0.12")
            monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: colab(url))
        code = source[1] if address is None else source[1].replace(URL, address)
        exec(code, {"get_ipython": lambda: shell})
        return asked[0] if asked else None

    return run


def test_the_install_cell_is_the_same_everywhere_and_takes_what_is_here(cell, tmp_path):
    cells = {CELL.search(page.read_text("utf8"))[1] for page in NOTEBOOKS}
    assert len(cells) == 1 and len(cells.pop().strip().splitlines()) <= 17
    assert cell(here=True) is None
    (tmp_path / "a b" / "vqclip_nb").mkdir(parents=True)
    (tmp_path / "a b" / "notebooks").mkdir()
    line = cell(tmp_path / "a b" / "notebooks")  # the copy beside the notebook
    assert line == f'install -q "vqclip_nb[train] @ {(tmp_path / "a b").as_uri()}"'


@pytest.mark.parametrize("branch", ["dev", "feature/a-b.c"])
def test_the_install_cell_in_colab_takes_the_fork_it_was_opened_from(cell, branch):
    page = f"github.com/some-one/fork.nb/blob/{branch}/notebooks/1_studio.ipynb"
    said = f'[{{"path": "fileId=https%3A//{page.replace("/", "%2F")}", "name": "1_studio.ipynb"}}]'
    answer = types.SimpleNamespace(read=said.encode)
    asked = cell(colab=lambda url: answer)
    address = f"git+https://github.com/some-one/fork.nb@{branch}"
    assert asked == f'install -q "vqclip_nb[train] @ {address}"'


@pytest.mark.parametrize("error", [None, TimeoutError])
def test_the_install_cell_of_a_copy_on_drive_takes_the_address_in_it(cell, error, monkeypatch):
    answer = Mock(side_effect=error)
    answer.return_value.read.return_value = b"[]"
    if "YOUR_NAME" in README:  # nobody owns that: pip is not even asked
        with pytest.raises(AssertionError, match="edit the line REPOSITORY"):
            cell(colab=answer)
    address = "https://github.com/me/copy"
    assert cell(colab=answer, address=address) == f'install -q "vqclip_nb[train] @ git+{address}"'
    monkeypatch.setitem(sys.modules, "vqclip_nb", None)  # pip failed
    with pytest.raises(ModuleNotFoundError, match="vqclip_nb"):
        cell(address=address)


@pytest.mark.slow
def test_the_lines_of_the_readme_run_as_they_stand(tmp_path):
    """From an address, into an environment that has all but the package."""
    [code], (_, own_environment) = blocks("python"), blocks("sh")
    address, own = tmp_path / "address", tmp_path / "own"
    subprocess.run(["git", "clone", "-q", ROOT, address], check=True)
    venv.create(own)
    [site] = own.glob("[Ll]ib/**/site-packages")
    (site / "these.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    bin = own / ("Scripts" if os.name == "nt" else "bin")
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    outside |= {"PIP_NO_COMPILE": "no", "PATH": os.pathsep.join([str(bin), outside["PATH"]])}

    def run(*command, where=tmp_path):
        command = [shutil.which(command[0], path=outside["PATH"]), *command[1:]]
        both = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        done = subprocess.run(command, cwd=where, env=outside, **both)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    run("python", "-m", "pip", "install", "-qU", "pip")  # an old one takes no address of a file
    install, paint, studio = map(shlex.split, own_environment.splitlines())
    run(*(word.replace(URL, address.as_uri()) for word in install))
    assert str(site) in run("python", "-Ic", "import vqclip_nb; print(vqclip_nb.__file__)")
    run(*("5" if word == "100" else word for word in paint))
    assert vq.open_recipe(tmp_path / "fox.gif").include == ["a fox"]
    run(*studio, "--version")
    copied = {path.name for path in (tmp_path / "vqclip_notebooks").iterdir()}
    assert copied == {path.with_suffix(".ipynb").name for path in NOTEBOOKS}
    run("python", "-c", code)
    assert (tmp_path / "sunflower.gif").is_file()
    if os.name != "nt":
        run("bash", "binder/postBuild", where=address)
