"""A folder for machines without internet: wheels, weights, notebooks, a page of instructions."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from .loading import load_pair

PAGE = """\
# vqclip_nb without internet

Made on {system} with Python {python}: for machines of the same kind. On each, in this folder:

    python -m venv vqclip
    {activate}
    python -m pip install --no-index --find-links wheels "vqclip_nb[notebooks]"

Then `vqclip "a fox" --out fox.gif` paints, and `vqclip studio --folder notebooks` opens the
notebooks, whose cells that install packages do nothing where vqclip_nb is installed.
{weights}
`wheels.txt` lists what is installed, with versions.
"""
WEIGHTS = """
Weights of {pairs} are in `weights`. Say where before you paint: set VQCLIP_CACHE to the full
path of that folder, then `vqclip "a fox" --pair {first}`.
"""


def pack(
    folder: Path,
    notebooks: Path,
    *,
    pairs: Sequence[str] = (),
    pip_options: Sequence[str] = (),
    say: Callable[[str], object] = lambda text: None,
) -> None:
    """Fill `folder` with what a machine without internet needs.

    notebooks: the folder that they are copied from. pairs: names whose weights are fetched into it;
    the emoji pair's are in the package. pip_options: for pip, as an index for torch. say: called
    with what is being done. OSError if pip fails; `load_pair`'s errors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notebooks").mkdir(exist_ok=True)
    for notebook in sorted(notebooks.glob("*.ipynb")):
        shutil.copyfile(notebook, folder / "notebooks" / notebook.name)
    fetched = [name for name in pairs if name != "emoji"]
    for name in fetched:
        say(f"weights of {name}")
        _fetch(name, folder / "weights")
    say("wheels: minutes, and up to gigabytes")
    _collect(folder / "wheels", pip_options)
    wheels = sorted(path.name for path in (folder / "wheels").glob("*.whl"))
    (folder / "wheels.txt").write_text("\n".join(wheels) + "\n", "utf8")
    windows = platform.system() == "Windows"
    weights = WEIGHTS.format(pairs=", ".join(fetched), first=fetched[0]) if fetched else ""
    page = PAGE.format(
        system=sysconfig.get_platform(),
        python=".".join(platform.python_version_tuple()[:2]),
        activate="vqclip\\Scripts\\activate" if windows else ". vqclip/bin/activate",
        weights=weights,
    )
    (folder / "README.md").write_text(page, "utf8")


def _fetch(pair: str, folder: Path) -> None:
    """Fill a cache of its own with a pair's weights, as they are kept."""
    before = os.environ.get("VQCLIP_CACHE")
    os.environ["VQCLIP_CACHE"] = str(folder.resolve())
    try:
        load_pair(pair, device="cpu")
    finally:
        if before is None:
            del os.environ["VQCLIP_CACHE"]
        else:
            os.environ["VQCLIP_CACHE"] = before


def _collect(wheels: Path, pip_options: Sequence[str]) -> None:
    """A wheel of this package and of all that it needs."""
    checkout = Path(__file__).parents[1]
    here = (checkout / "pyproject.toml").is_file()
    wanted = f"{checkout}[notebooks]" if here else f"vqclip_nb[notebooks]=={version('vqclip_nb')}"
    command = [sys.executable, "-m", "pip", "wheel", "--wheel-dir", str(wheels), *pip_options]
    if subprocess.run([*command, wanted]).returncode:
        raise OSError("pip could not bring all wheels: what it said is above")
