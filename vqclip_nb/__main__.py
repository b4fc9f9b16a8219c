"""The command line: `vqclip "a fox" --steps 100 --out fox.gif` paints, `vqclip studio` opens
JupyterLab.

Its options are made from `Settings`, so whatever a run can be asked for can be asked for here.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

import vqclip_nb as vq
from vqclip_nb.export import file_name
from vqclip_nb.files import free_path
from vqclip_nb.settings import KNOBS, PRESETS, label

USAGE = """vqclip PROMPT [PROMPT ...] [--out FILE] [options]
       vqclip studio [--folder FOLDER] [options of JupyterLab]"""
FORMATS = (".png", ".gif", ".mp4")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 failed, 2 not understood, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # a console may lack letters of a prompt or a path
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return studio(arguments[1:]) if arguments[:1] == ["studio"] else paint(arguments)
    except KeyboardInterrupt:
        print("vqclip: interrupted before the first step", file=sys.stderr)
        return 130
    except (vq.WeightsError, ValueError, OSError, MemoryError) as problem:
        print(f"vqclip: {problem}", file=sys.stderr)
        return 1


# -- painting


def make_parser() -> argparse.ArgumentParser:
    """An option for every setting but include, which is the prompts themselves."""
    parser = argparse.ArgumentParser("vqclip", usage=USAGE, allow_abbrev=False)
    help_text = escaped(KNOBS["include"].help)
    parser.add_argument("include", nargs="*", metavar="PROMPT", help=help_text)
    parser.add_argument(
        "--out",
        action="append",
        type=Path,
        metavar="FILE",
        help="where to write: .png, .gif or .mp4; may be given more than once "
        "(default: a PNG named after the prompt)",
    )
    parser.add_argument("--pair", default="emoji", help="networks (default: %(default)s)")
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best there is)")
    parser.add_argument("--preset", choices=list(PRESETS), default="default")
    parser.add_argument("--size", type=number, metavar="PIXELS", help="height and width at once")
    for name, k in KNOBS.items():
        if name == "include":
            continue
        default = "the pair's own" if k.empty else k.default
        shown = f" (default: {default})" if default not in ("", []) else ""
        facts: dict[str, Any] = {"default": argparse.SUPPRESS, "help": escaped(k.help) + shown}
        if k.kind == "bool":
            facts["action"] = argparse.BooleanOptionalAction
        elif k.high is not None:
            facts |= {"type": number, "metavar": f"{k.low:g}..{k.high:.10g}"}
        else:
            facts["metavar"] = "|".join(k.choices) or "TEXT"
        if k.kind == "list[str]":
            facts["action"] = "append"
            facts["help"] += "; may be given several times"
        names = dict.fromkeys(map(option, filter(None, (label(name), name, k.option))))
        parser.add_argument(*names, dest=name, **facts)
    return parser


def option(name: str) -> str:
    """A setting's name or label as people type it."""
    return "--" + name.replace("_", "-").replace(" ", "-")


def escaped(text: str) -> str:
    return text.replace("%", "%%")  # argparse formats its help


def read_settings(parser: argparse.ArgumentParser, given: dict[str, Any]) -> vq.Settings:
    """Settings from options; what is wrong with one ends the program, as argparse does."""
    if not given["include"]:
        parser.error('say what to paint, for example: vqclip "a fox"')
    if (size := given.pop("size")) is not None:
        given = {"height": size, "width": size} | given
    try:
        return vq.Settings.preset(given.pop("preset"), **given)
    except ValueError as e:
        name, _, rest = str(e).partition("=")
        parser.error(f"{option(label(name))}={rest}" if name in KNOBS else str(e))


def number(text: str) -> Any:
    """A number, or the text as it is, for `Settings` to refuse by its name."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def paint(arguments: Sequence[str]) -> int:
    """Paint what the options ask for, with a progress bar; Ctrl-C keeps the picture so far."""
    parser = make_parser()
    given = vars(parser.parse_args(arguments))
    out, pair_name, device = (given.pop(name) for name in ("out", "pair", "device"))
    settings = read_settings(parser, given)
    if len(once := list(dict.fromkeys(settings.include))) < len(settings.include):
        settings = settings.replace(include=once)
        print(
            "vqclip: the same prompt with the same seed gives the same picture, so each is painted "
            "once; for another picture give another --seed, or --seed -1",
            file=sys.stderr,
        )
    several = len(settings.include) > 1
    if not out:
        out = [free_path(Path(file_name(settings.include[0], "png")), "-1" if several else "")]
    check_writable(out)
    pngs = [path for path in out if path.suffix.lower() == ".png"]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        run = vq.Run(vq.load_pair(pair_name, device=device), settings)
    for warning in told:
        if issubclass(warning.category, UserWarning):
            print(f"vqclip: {warning.message}", file=sys.stderr)
    settings, status, numbered = run.settings, 0, 0  # the run's have the pair's own filled in
    failed: list[str] = []
    steps = settings.total_iter * len(settings.include)
    with tqdm(total=steps, unit="step", disable=None) as bar:
        try:
            for frame in run:
                bar.set_postfix_str(f"similarity {frame.similarity:.3f}", refresh=False)
                bar.update()
                # A PNG holds one picture: of several each gets one, while it is the run's last.
                if several and frame.iteration + 1 == settings.total_iter:
                    numbered += 1
                    failed += save(run, [p.with_stem(f"{p.stem}-{numbered}") for p in pngs])
        except KeyboardInterrupt:
            status = 130
        except (MemoryError, ArithmeticError) as e:
            failed.append(str(e) or type(e).__name__)
    if run.image is None:
        raise OSError("\n".join(failed)) if failed else KeyboardInterrupt
    if status:
        done = len(run.history)
        print(f"vqclip: interrupted after {done} of {steps} steps", file=sys.stderr)
    failed += save(run, [p for p in out if numbered < len(settings.include) or p not in pngs])
    print(f"similarity {run.similarity:.3f}, {run.seconds:.1f} s", file=sys.stderr)
    if failed:
        raise OSError("\n".join(failed))
    return status


def save(run: vq.Run, paths: Sequence[Path]) -> list[str]:
    """Write the run in the formats that the names ask for. Returns what could not be written: one
    that failed does not stop the rest."""
    failed = []
    for path in paths:
        try:
            print(getattr(run, f"save_{path.suffix[1:].lower()}")(path))
        except (OSError, ValueError) as e:
            failed.append(f"{path} could not be written: {e}")
    return failed


def check_writable(paths: Sequence[Path]) -> None:
    """OSError unless the paths can be written to: asked before the painting, not after it."""
    for path in paths:
        if path.suffix.lower() not in FORMATS:
            raise OSError(f"--out {path}: the name must end in {', '.join(FORMATS)}")
        if not path.parent.is_dir():
            raise OSError(f"--out {path}: there is no folder {path.parent}")
        if path.is_dir():
            raise OSError(f"--out {path}: that is a folder")
        if not os.access(path.parent, os.W_OK):
            raise OSError(f"--out {path}: nothing can be written to {path.parent}")


# -- notebooks


def notebooks() -> Path:
    """The folder of the notebooks: inside an installed package, beside the one of a checkout."""
    inside = Path(__file__).with_name("notebooks")
    return inside if inside.is_dir() else Path(__file__).parents[1] / "notebooks"


def studio(arguments: Sequence[str]) -> int:
    """Copy the notebooks, never over what is there, and open JupyterLab on the Studio."""
    parser = argparse.ArgumentParser("vqclip studio", allow_abbrev=False)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("vqclip_notebooks"),
        help="where the notebooks are put; files that are there stay (default: %(default)s)",
    )
    options, rest = parser.parse_known_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(notebooks().glob("*.ipynb")):
        copy = options.folder / notebook.name
        if not copy.exists():
            shutil.copyfile(notebook, copy)
    print(f"notebooks: {options.folder.resolve()}")
    if importlib.util.find_spec("jupyterlab") is None:
        raise OSError("JupyterLab is missing: python -m pip install jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", *rest, str(options.folder / "1_studio.ipynb")]
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:  # how a server is stopped
        return 0


if __name__ == "__main__":
    sys.exit(main())
