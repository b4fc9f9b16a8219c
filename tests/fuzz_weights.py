"""Throws damaged and crafted weight files and configurations at the readers.

`pytest` runs it for a few seconds; `python tests/fuzz_weights.py --minutes 60` for as long as you
like. Counts undocumented exceptions, files written, and code executed; all must be 0.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import crafting
import hostile
import torch
from crafting import Bomb, name, packed, row, scripted, state_dict, storage, tensor, text
from damage import DAMAGES, Rng
from published import Original, archive, saved, small_clip
from safetensors.torch import save

from vqclip_nb.weights import WeightsError, read_config, read_state

EVENTS = {  # what code would have to do to start something, touch a file, or reach out
    *("exec", "compile", "import", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"),
    *("os.mkdir", "os.remove", "os.rename", "os.fork", "ctypes.dlopen", "socket.connect"),
    *("pickle.find_class", "shutil.rmtree", "urllib.Request", "code.__new__"),
}
watched: list[str] | None = None


def _audit(event: str, arguments: tuple) -> None:
    """Python's own report of what is done; an `open` counts when it is for writing."""
    if watched is None or event not in EVENTS | {"open"}:
        return
    if event == "open":
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    watched.append(f"{event} {arguments}"[:300])


@cache
def seeds() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Good files and hostile ones, to be damaged. The suffix says the form."""
    torch.manual_seed(0)
    small = {"a.weight": torch.rand(3, 4), "b": torch.arange(5), "c": torch.rand(2).half()}
    vqgan = Original()
    good = {
        "clip.pt": archive(small_clip()),
        "vqgan.ckpt": vqgan.checkpoint(),
        "small.pt": saved({"state_dict": small, "epoch": 3}),
        "old.pt": saved(small, zipped=False),
        "script.pt": scripted(torch.nn.Sequential(torch.nn.Linear(2, 3))),
        "writes.pt": scripted(crafting.Writes("written")),
        "bomb.pt": saved({"state_dict": small, "x": Bomb(Path("made"))}),
        "old bomb.pt": saved({"x": Bomb(Path("made"))}, zipped=False),
        "small.safetensors": save(small, {"config": "{}", "words": "one two"}),
        "model.yaml": vqgan.yaml().encode(),
    }
    bad = {n: data for n, _, data in hostile.weights()}
    bad |= {
        f"{n}.yaml": words.encode("utf8", "surrogateescape") for n, _, words in hostile.configs()
    }
    return good, {n: data for n, data in bad.items() if len(data) < 10_000}


# -- crafted anew ---------------------------------------------------------------------------------


def pickled(rng: Rng) -> bytes:
    """Instructions in any order, most of them sensible ones."""
    odd = lambda: rng.choice((-1, 0, 1, 2, 3, 4, 7, 2**31, 2**47, 2**63))  # noqa: E731
    names = (
        *("os system", "builtins eval", "builtins getattr", "torch load", "torch.hub load"),
        *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"),
        *("collections OrderedDict", "torch FloatStorage", "torch Size", "__torch__ M"),
        *("torch.jit._pickle restore_type_tag", "torch._tensor _rebuild_from_type_v2"),
    )
    parts: list[Callable[[], bytes]] = [
        lambda: name(*rng.choice(names).split()),
        lambda: text(rng.choice(("storage", "0", "state_dict", "w", "touch written", "\ud800"))),
        lambda: crafting.whole(odd()),
        lambda: storage(rng.choice((4, odd())), rng.choice("01")),
        lambda: tensor(
            storage(rng.choice((4, odd()))),
            row(*(rng.choice((1, 2, odd())) for _ in range(rng.randrange(4)))),
            row(*(rng.choice((1, 2, odd())) for _ in range(rng.randrange(4)))),
            rng.choice((0, odd())),
        ),
        lambda: rng.choice((b"(", b")", b"]", b"}", b"N", b"\x88", b"\x89")),
        lambda: rng.choice((b"t", b"u", b"e", b"s", b"a", b"b", b"R", b"Q", b"\x81")),
        lambda: rng.choice((b"\x85", b"\x86", b"\x87")),
        lambda: rng.choice((b"q", b"h")) + bytes([rng.randrange(4)]),
        lambda: bytes([rng.randrange(256)]),
    ]
    body = b"".join(rng.choice(parts)() for _ in range(rng.randrange(1, 40)))
    return rng.choice((b"\x80\x02" + body + b".", b"\x80\x02}(" + text("w") + body + b"u."))


def crafted(rng: Rng) -> tuple[str, bytes]:
    kind = rng.randrange(4)
    if kind == 0:
        shapes = [
            row(*(rng.choice((0, 1, 2, 3, 4, -1, 2**32)) for _ in range(rng.randrange(4))))
            for _ in range(2)
        ]
        views = [tensor(storage(4), *shapes, rng.choice((0, 0, 1, 5)))]
        return "a.pt", packed(state_dict(*views * rng.randrange(1, 4)), {"0": bytes(16)})
    if kind == 1:
        extra = crafting.CODE if rng.random() < 0.5 else {}
        return "a.pt", packed(pickled(rng), {"0": bytes(16)}, extra=extra)
    if kind == 2:
        return "a.pt", crafting.legacy(pickled(rng), ["0"], struct.pack("<q", 4) + bytes(16))
    words = ["ddconfig:", "embed_dim: 8", "n_embed: 9", "${oc.env:HOME}", "&a", "*a", "!!x", "- "]
    words += [
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "|",
        "\n",
        "\n  ",
        ": ",
        "?",
        "<<",
        "\t",
        "🦊",
        "%",
        "#",
    ]
    return "a.yaml", "".join(rng.choice(words) for _ in range(rng.randrange(60))).encode()


# -- the run --------------------------------------------------------------------------------------


def fuzz(seconds: float, seed: int = 0, report: Callable[[str], None] | None = None) -> Counter:
    """Counts of what happened; the files that made anything wrong are described to `report`."""
    global watched
    sys.addaudithook(_audit)
    rng, counts, (good, bad) = Rng(seed), Counter(), seeds()
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for path, data in {**good, **bad}.items():  # so that everything needed is imported
                one(Path(path), data, Counter(), None)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if rng.random() < 0.3:
                    path, data = crafted(rng)
                else:
                    files = good if rng.random() < 0.7 else bad
                    path, data = rng.choice(list(files.items()))
                    for _ in range(rng.choice((1, 1, 2, 3))):
                        if data:
                            data = rng.choice(DAMAGES)(bytearray(data), rng)
                one(Path(path), data, counts, report)
        finally:
            watched = None
            os.chdir(before)
    return counts


def one(path: Path, data: bytes, counts: Counter, report: Callable[[str], None] | None) -> None:
    """Read one file in this empty folder, and look what happened besides."""
    global watched
    path.write_bytes(data)
    watched = []
    began, wrong = time.monotonic(), ""
    try:
        (read_config if path.suffix == ".yaml" else read_state)(path)
        counts["read"] += 1
    except WeightsError:
        counts["refused"] += 1
    except BaseException:
        counts["undocumented exceptions"] += 1
        wrong = traceback.format_exc()
    done, watched = watched, None
    if done:
        counts["code executed"] += 1
        wrong += f"\n{done[:5]}"
    if time.monotonic() - began > 10:
        counts["longer than ten seconds"] += 1
        wrong += "\nslow"
    if left := [p for p in os.listdir() if p != path.name]:
        counts["files written"] += 1
        wrong += f"\n{left}"
        for p in left:
            os.rmdir(p) if os.path.isdir(p) else os.unlink(p)
    path.unlink()
    counts["files"] += 1
    if wrong and report:
        report(f"{path} ({len(data)} bytes: {data[:200]!r}): {wrong}")


WRONG = ("undocumented exceptions", "files written", "code executed", "longer than ten seconds")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    total = fuzz(60 * options.minutes, options.seed, print)
    print(
        f"{total['files']:,} files: {total['read']:,} read, {total['refused']:,} refused, "
        + ", ".join(f"{what}: {total[what]}" for what in WRONG)
    )
    sys.exit(any(total[what] for what in WRONG))
