"""The pages that a stranger reads: short, true, from one source, and their lines run as said."""

import os
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

import vqclip_nb as vq
from docs import make

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf8")
URL = re.search(r"git clone (https://\S+)", README)[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "space").glob("*.md")]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def blocks(language):
    """The README's code of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def test_the_readme_is_one_page():
    assert len(README.splitlines()) <= 150 and len(README.split()) <= 1000
    [code] = blocks("python")
    assert len(code.split("\n\n", 1)[1].strip().splitlines()) <= 5  # and the import: six
    screen = README.splitlines()[:30]  # a picture, and the line that makes one, without scrolling
    assert any(line.startswith("![") for line in screen[:5])
    assert any(line.startswith("make demo") for line in screen)


def test_what_is_made_is_up_to_date():
    assert make.main(check=True) == 0, "run make docs"


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


def test_without_an_address_no_badge_leads_to_a_missing_page():
    for page in [ROOT / "README.md", *NOTEBOOKS]:
        text = page.read_text("utf8")
        assert ("[![Open in" in text) != ("make address REPO" in text), page


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_vocabulary_is_counted(pair):
    [said] = re.findall(r"knows ([\d,]+) English words", README)
    assert int(said.replace(",", "")) == len(pair.clip.vocabulary.words)


# -- the notebooks' install cell


@pytest.fixture
def cell(monkeypatch, tmp_path):
    """Runs the install cell in `folder`; returns what it asks pip for, or None."""
    source = re.search(
        r'tags=\["install"\]\n(.*?)^# %%', NOTEBOOKS[0].read_text("utf8"), re.M | re.S
    )

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


def test_the_install_cell_is_short_and_the_same_everywhere():
    cells = [re.search(r'tags=\["install"\]\n(.*?)^# %%', p.read_text("utf8"), re.M | re.S)[1]
             for p in NOTEBOOKS]  # fmt: skip
    assert len(set(cells)) == 1 and len(cells[0].strip().splitlines()) <= 17


def test_the_install_cell_leaves_alone_what_is_here(cell):
    assert cell(here=True) is None


def test_the_install_cell_takes_the_copy_beside_the_notebook(cell, tmp_path):
    (tmp_path / "a b" / "vqclip_nb").mkdir(parents=True)
    (tmp_path / "a b" / "notebooks").mkdir()
    line = cell(tmp_path / "a b" / "notebooks")
    assert line == f'install -q "vqclip_nb[train] @ {(tmp_path / "a b").as_uri()}"'


@pytest.mark.parametrize("branch", ["dev", "feature/a-b.c"])
def test_the_install_cell_in_colab_takes_the_fork_it_was_opened_from(cell, branch):
    page = f"github.com/some-one/fork.nb/blob/{branch}/notebooks/1_studio.ipynb"
    said = f'[{{"path": "fileId=https%3A//{page.replace("/", "%2F")}", "name": "1_studio.ipynb"}}]'
    answer = types.SimpleNamespace(read=said.encode)
    asked = cell(colab=lambda url: answer)
    assert asked == (
        f'install -q "vqclip_nb[train] @ git+https://github.com/some-one/fork.nb@{branch}"'
    )


@pytest.mark.parametrize("fault", [TimeoutError, lambda: types.SimpleNamespace(read=lambda: b"[]")])
def test_the_install_cell_of_a_copy_on_drive_takes_the_address_in_it(cell, fault, tmp_path):
    def answer(url):
        got = fault()
        if isinstance(got, Exception):
            raise got
        return got

    if "YOUR_NAME" in README:  # nobody owns that: pip is not even asked
        with pytest.raises(AssertionError, match="edit the line REPOSITORY"):
            cell(colab=answer)
    address = "https://github.com/me/copy"
    assert cell(colab=answer, address=address) == f'install -q "vqclip_nb[train] @ git+{address}"'


def test_the_install_cell_fails_where_pip_fails(cell, monkeypatch):
    monkeypatch.setitem(sys.modules, "vqclip_nb", None)
    with pytest.raises(ModuleNotFoundError, match="vqclip_nb"):
        cell(address="https://github.com/me/copy")


# -- a stranger's machine


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the README's other lines are for Windows")
def test_the_lines_of_the_readme_run_as_they_stand():
    """A fresh clone, fresh environments, pip's newest release; gigabytes, so nothing is kept."""
    clone_and_demo, own_environment = blocks("sh")
    [code] = blocks("python")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        address = folder / "address" / "vqclip_nb"
        subprocess.run(["git", "clone", "-q", ROOT, address], check=True)
        outside = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PYTHON", "VIRTUAL", "MAKE", "MFLAGS"))
        }
        outside["PIP_NO_COMPILE"] = "no"  # nothing is compiled that is not imported

        def run(lines, where, bin=None):
            lines = re.sub(r"https://github\.com/[\w-]+/vqclip_nb", address.as_uri(), lines)
            path = os.pathsep.join([str(bin), outside["PATH"]] if bin else [outside["PATH"]])
            done = subprocess.run(
                ["bash", "-ec", lines],
                cwd=where,
                env={**outside, "PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert done.returncode == 0, done.stdout[-3000:]
            return done.stdout

        (folder / "there").mkdir()
        told = run(clone_and_demo, folder / "there")
        clone = folder / "there" / "vqclip_nb"
        assert {p.name for p in (clone / "outputs").iterdir()} == {"picture.png", "picture.gif"}
        recipe = vq.open_recipe(clone / "outputs" / "picture.png")
        assert (
            recipe.include == ["a green frog on a yellow background"] and ".venv is ready" in told
        )
        assert run("make venv", clone) == ""  # complete: nothing to do, nothing to say

        run(f"python - <<'END'\n{code}\nEND", folder, clone / ".venv" / "bin")
        assert (folder / "sunflower.gif").is_file()

        # From the address into an environment that has what the package requires already.
        own = clone / ".venv" / "bin"
        run("python -m pip install -qU pip; python -m pip uninstall -qy vqclip_nb", folder, own)
        quick = own_environment.replace("--steps 100", "--steps 5")
        assert quick != own_environment and quick.endswith("vqclip studio\n")
        run(quick.replace("studio\n", "studio --version\n"), folder, own)
        assert vq.open_recipe(folder / "fox.gif").include == ["a fox"]
        assert (folder / "vqclip_notebooks" / "1_studio.ipynb").is_file()
        run("bash binder/postBuild", address, own)
