"""Carries what is written once to where it is read: `make docs`, or with --check only compares.

The repository's address stands in pyproject.toml, the controls in settings.py and settings.toml,
what a file holds in its docstring, the notebooks' install cell below. The .ipynb files are made
from the .py files.
With --address OWNER/NAME (`make address REPO=OWNER/NAME`) the address is changed first.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jupytext

from vqclip_nb.models.pair import EMOJI_DEFAULTS, PUBLISHED_DEFAULTS
from vqclip_nb.settings import KNOBS, PRESETS

ROOT = Path(__file__).resolve().parents[1]
OWNER = r"[\w.-]+/[\w.-]+"


def change_address(name: str) -> None:
    """Write OWNER/NAME into pyproject.toml, from where all else takes it."""
    if not re.fullmatch(OWNER, name):
        sys.exit(f"{name!r} is no address: give REPO=owner/name, as on GitHub")
    path = ROOT / "pyproject.toml"
    line = rf'(?<=^Repository = "https://github\.com/){OWNER}'
    text = re.sub(line, name, path.read_text("utf8"), flags=re.M)
    path.write_text(text, "utf8", newline="\n")


if "--address" in sys.argv:  # before anything is made from it
    change_address(sys.argv[-1])
URL = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["urls"]["Repository"]
NAME = URL.removeprefix("https://github.com/")
PAIRS = {"emoji": EMOJI_DEFAULTS, "other pairs": PUBLISHED_DEFAULTS}

INSTALL = f"""\
# Brings vqclip_nb unless it is here already. For another copy of it, change the next line.
REPOSITORY = "{URL}"
import contextlib, importlib.util, pathlib, re, socket, sys, urllib.request

if importlib.util.find_spec("vqclip_nb") is None:
    source = f"git+{{REPOSITORY}}"
    if pathlib.Path("../vqclip_nb").is_dir():
        source = pathlib.Path("..").resolve().as_uri()
    elif "google.colab" in sys.modules:  # it knows from which fork this notebook was opened
        with contextlib.suppress(Exception):
            asked = f"http://{{socket.gethostbyname(socket.gethostname())}}:9000/api/sessions"
            said = urllib.parse.unquote(urllib.request.urlopen(asked, timeout=3).read().decode())
            fork = re.search(r"(https://github.com/[\\w.-]+/[\\w.-]+)/blob/(.+?)/notebooks/", said)
            source = f"git+{{fork[1]}}@{{fork[2]}}"
    assert "com/YOUR_" not in source, "edit the line REPOSITORY = above: the address of your copy"
    get_ipython().run_line_magic("pip", f'install -q "vqclip_nb[train] @ {{source}}"')
    importlib.import_module("vqclip_nb")  # an error here: pip failed, and says why above
"""

SHIELDS = (  # where notebooks can be opened: name, picture, address
    (
        "Colab",
        "https://colab.research.google.com/assets/colab-badge.svg",
        f"https://colab.research.google.com/github/{NAME}/blob/main/notebooks/{{}}.ipynb",
    ),
    (
        "Kaggle",
        "https://kaggle.com/static/images/open-in-kaggle.svg",
        f"https://kaggle.com/kernels/welcome?src={URL}/blob/main/notebooks/{{}}.ipynb",
    ),
    (
        "molab",
        "https://marimo.io/molab-shield.svg",
        f"https://molab.marimo.io/github/{NAME}/blob/main/notebooks/{{}}.ipynb",
    ),
    (
        "Binder",
        "https://mybinder.org/badge_logo.svg",
        f"https://mybinder.org/v2/gh/{NAME}/main?labpath=notebooks%2F{{}}.ipynb",
    ),
)

# In place of badges that would lead to pages which do not exist.
NO_ADDRESS = (
    "Badges for Colab, Kaggle, molab and Binder appear here once `make address REPO=owner/name` has"
    " set this repository's address.\n"
)

# Where an address stands: what comes before it, and what it is made of.
ADDRESSES = [
    (rf"(?<=git clone )https://github\.com/{OWNER}", URL),
    (rf"(?<=git\+)https://github\.com/{OWNER}", URL),
    (rf"https://github\.com/{OWNER}(?=/(?:actions|security|blob/main/docs)/)", URL),
    (rf"(?<=^repository-code: )https://github\.com/{OWNER}", URL),
]


def controls(pairs: Mapping[str, Mapping[str, Any]]) -> str:
    """The settings as a Markdown table, with a column of defaults for each pair."""
    rows = [f"| setting | {' | '.join(pairs)} | report | allowed | what it does |"]
    rows.append("|---" * (len(pairs) + 4) + "|")
    for name, k in KNOBS.items():
        if k.choices:
            allowed = ", ".join(k.choices)
        elif k.high is not None:
            allowed = f"{k.low:g} to {k.high:.10g} {k.unit}".strip()
        else:
            allowed = "on, off" if k.kind == "bool" else "text"
        default = k.usual if k.empty else k.default
        shown = [defaults.get(name, default) for defaults in pairs.values()]
        shown.append(PRESETS["report"].get(name, default))
        help_text = k.help.replace("|", "\\|")
        rows.append(f"| `{name}` | {' | '.join(map(_cell, shown))} | {allowed} | {help_text} |")
    return "\n".join(rows)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "–" if value in ("", [], None) else f"{value}"


@cache
def rooms() -> str:
    """Each file of the package with the first paragraph of its own docstring, as a table."""
    rows = ["| file | what it holds |", "|---|---|"]
    for path in sorted(ROOT.glob("vqclip_nb/**/*.py"), key=lambda p: (len(p.parts), p)):
        about = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
        if path.name != "__init__.py" and about:
            name = path.relative_to(ROOT / "vqclip_nb").as_posix()
            words = " ".join(about.split("\n\n")[0].split())
            rows.append(f"| [`{name}`](../vqclip_nb/{name}) | {words} |")
    return "\n".join(rows)


def made(name: str, table: str, text: str) -> str:
    """The text with this table between the two comments that ask for it."""
    begin, end = f"<!-- {name}, by make docs -->\n", "<!-- end -->"
    pattern = f"({re.escape(begin)}).*?(?={end})"
    return re.sub(pattern, lambda m: f"{m[1]}{table}\n", text, flags=re.S)


def badges(match: re.Match, notebook: str) -> str:
    """The badges that open a notebook, each line as the first of `match` begins."""
    if "YOUR_NAME" in NAME:
        return match["begin"] + NO_ADDRESS
    lines = (f"[![Open in {name}]({picture})]({page.format(notebook)})\n"
             for name, picture, page in SHIELDS)  # fmt: skip
    return "".join(match["begin"] + line for line in lines)


def filled(text: str, notebook: str = "1_studio") -> str:
    """A page or notebook with today's address, tables, badges and install cell."""
    shields = (
        r"(?P<begin>^(?:# )?)"
        r"(?:\[!\[Open in .*\n(?:.*\[!\[Open in .*\n)*|Badges for Colab,.*\n)"
    )
    text = re.sub(shields, lambda m: badges(m, notebook), text, count=1, flags=re.M)
    for pattern, address in ADDRESSES:
        text = re.sub(pattern, address, text, flags=re.M)
    text = made("controls", controls(PAIRS), text)
    text = made("rooms", rooms(), text)
    cell = f'# %% tags=["install"]\n{INSTALL}\n'
    return re.sub(r'# %% tags=\["install"\]\n.*?(?=^# %%)', lambda _: cell, text, flags=re.S | re.M)


def same_cells(notebook: Path, text: str) -> bool:
    """Whether a stored .ipynb holds the cells of the .py text."""
    if not notebook.is_file():
        return False
    stored, wanted = jupytext.read(notebook), jupytext.reads(text, "py:percent")
    return [(c.cell_type, c.source, c.metadata.get("tags")) for c in stored.cells] == [
        (c.cell_type, c.source, c.metadata.get("tags")) for c in wanted.cells
    ]


def main(check: bool) -> int:
    """Make what is stale, or with `check` name it and return 1."""
    stale = []
    to_store = []
    notebooks = sorted((ROOT / "notebooks").glob("*.py"))
    files = [*ROOT.glob("*.md"), *ROOT.glob("*.cff"), *ROOT.glob("docs/**/*.md")]
    files += [p for p in ROOT.glob("space/*") if p.suffix in (".md", ".txt")]
    for path in [*sorted(files), *notebooks]:
        before = path.read_text("utf8")
        after = filled(before, path.stem if path in notebooks else "1_studio")
        if after != before:
            stale.append(path)
            if not check:
                path.write_text(after, "utf8", newline="\n")
        notebook = path.with_suffix(".ipynb")
        if path in notebooks and not same_cells(notebook, after):
            stale.append(notebook)
            to_store.append(path)
    if to_store and not check:
        command = [sys.executable, "-m", "jupytext", "--quiet", "--to", "ipynb", "--update"]
        subprocess.run([*command, *to_store], check=True)
    for path in stale:
        print(f"{'stale' if check else 'made'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
