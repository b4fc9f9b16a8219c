"""Executes the notebooks for the pages, with all that they print and draw, to build/tutorials.

python -m docs.tutorials 1_studio 2_how_it_works    minutes; without names all but the training
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "tutorials"
NAMES = [p.stem for p in sorted((ROOT / "notebooks").glob("*.ipynb")) if "train" not in p.stem]


def execute(name: str) -> None:
    """Run a notebook in a copy of its folder, so that nothing is left in the repository."""
    shutil.copytree(ROOT / "notebooks", OUT / "run", dirs_exist_ok=True)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", f"{name}.ipynb"]
    command += ["--output-dir", str(OUT), "--ExecutePreprocessor.timeout=3600"]
    subprocess.run(command, cwd=OUT / "run", check=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        execute(name)
