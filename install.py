"""Set-up with nothing but Python: `python install.py` makes .venv with all that the package needs.

    python install.py [notebooks] [pages] [test] [train]    extras; without any: notebooks
    python install.py --here ...                    into the Python that runs this, without .venv

A .venv that is complete is left alone, one that was interrupted is made anew, one that is older
than pyproject.toml or requirements.txt is brought up to date. On Linux without an NVIDIA GPU torch
comes from its CPU index, which is gigabytes smaller, if that index answers within three seconds.
The environment variable TORCH_INDEX names another index, or none if it is empty.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
READY, UNFINISHED, LOG = VENV / ".ready", VENV / ".unfinished", VENV / "install.log"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def answers(index: str, seconds: float = 3.0) -> bool:
    """Whether a package index gives its page of torch in time, names looked up and all."""
    heard: list[bytes] = []

    def ask() -> None:
        with contextlib.suppress(Exception):  # whatever is wrong: it is done without
            with urllib.request.urlopen(f"{index.rstrip('/')}/torch/", timeout=seconds) as page:
                heard.append(page.read(1))

    # In a thread, since looking up a name and an answer byte by byte know no time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return any(heard)


def torch_index() -> str:
    """The index to take torch from, or nothing: the usual one."""
    default = CPU_INDEX if platform.system() == "Linux" and not shutil.which("nvidia-smi") else ""
    index = os.environ.get("TORCH_INDEX", default).strip()
    if not index:
        return ""
    say(f"Asking {index} for torch's CPU build ...")
    if answers(index):
        return index
    say("No answer within 3 s: doing without it. The usual build is larger and works as well.")
    return ""


def say(text: str) -> None:
    print(text, flush=True)


def pip(python: Path | str, *arguments: str) -> bool:
    """Run pip; show what is large, log the rest. False if it fails."""
    # Not compiled beforehand: that takes minutes, and what is used is compiled when it is.
    options = ("--disable-pip-version-check", "--no-compile")
    command = [str(python), "-m", "pip", "install", *options, *arguments]
    with open(LOG if VENV.is_dir() else os.devnull, "a", encoding="utf8") as log:
        log.write(f"$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf8",
            errors="replace",
            cwd=ROOT,
        )
        last: list[str] = []
        try:
            for line in process.stdout or ():
                log.write(line)
                last = [*last[-20:], line.rstrip()]
                if re.search(r"(Downloading|Using cached).*\b(\d{2,}\.\d MB|GB)", line):
                    say(f"  {line.strip()}")
                elif line.startswith("Installing collected"):
                    say(f"  unpacking {line.count(',') + 1} packages")
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
    if process.returncode:
        say("\n".join(last))
    return process.returncode == 0


def install(python: Path | str, extras: list[str]) -> None:
    """Torch from its own index first, so that no other package asks there, then all the rest."""
    index = torch_index()
    torch = re.findall(r"^torch\S*", (ROOT / "requirements.txt").read_text("utf8"), re.M)
    limits = ("--timeout", "15", "--retries", "1")
    if index and not pip(python, "--index-url", index, *limits, *torch):
        say("That index broke off: doing without it.")
    if not pip(python, "-e", f".[{','.join(extras)}]"):
        sys.exit(f"Set-up failed: what pip said is above{f', all of it in {LOG}' * VENV.is_dir()}.")


def wanted(extras: list[str]) -> str:
    """What a complete .venv is made from: its place, the project's files, the extras."""
    files = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "requirements.txt"))
    return "\n".join([str(ROOT), hashlib.sha256(files).hexdigest(), *sorted(extras)])


def works() -> bool:
    """Whether .venv has a Python that runs, and was neither interrupted nor made elsewhere."""
    place = READY.read_text("utf8").partition("\n")[0] if READY.is_file() else ""
    if UNFINISHED.exists() or place not in ("", str(ROOT)):
        return False
    with contextlib.suppress(OSError):
        return not subprocess.run([PYTHON, "-c", ""], capture_output=True).returncode
    return False


def make_venv(extras: list[str]) -> None:
    ready = READY.read_text("utf8").split("\n") if READY.is_file() else []
    extras = sorted({*extras, *ready[2:]})  # never take away what an earlier call brought
    if works() and ready == wanted(extras).split("\n"):
        return
    began = time.time()
    free = shutil.disk_usage(ROOT).free / 1e9
    if works():
        say("Bringing .venv up to date.")
    else:
        say(
            f"Making .venv with Python {platform.python_version()}: minutes, and 1.5 to 6.5 GB "
            f"({free:.0f} GB are free). Interrupt it as you like: the next call starts over."
        )
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir(exist_ok=True)
        UNFINISHED.touch()
        if subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode:
            sys.exit("No .venv could be made. On Debian and Ubuntu: apt install python3-venv")
    READY.unlink(missing_ok=True)
    UNFINISHED.touch()
    install(PYTHON, extras)
    READY.write_text(wanted(extras), "utf8")
    UNFINISHED.unlink()
    size = sum(f.stat().st_size for f in VENV.rglob("*") if f.is_file() and not f.is_symlink())
    say(f".venv is ready: {time.time() - began:.0f} s, {size / 1e9:.1f} GB.")


def main(arguments: list[str]) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (whoever runs this may have an older one)
        sys.exit(f"Python 3.11 or newer is needed, this is {platform.python_version()}.")
    here = "--here" in arguments
    extras = [a for a in arguments if a != "--here"] or ["notebooks"]
    unknown = set(extras) - {"notebooks", "pages", "test", "train"}
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: not known. {__doc__}")
    try:
        if here:
            install(sys.executable, extras)
        else:
            make_venv(extras)
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: run it again, it starts over.")


if __name__ == "__main__":
    main(sys.argv[1:])
