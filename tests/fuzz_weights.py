"""Weight files and configurations, damaged and crafted at random: see fuzz.py."""

from __future__ import annotations

import contextlib
import encodings.raw_unicode_escape  # noqa: F401  pickletools asks for it at an old instruction
import os
import random
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import crafting
import hostile
import torch
from crafting import Bomb, name, packed, row, scripted, storage, tensor, text
from published import Original, archive, saved, small_clip, write
from safetensors.torch import save

from vqclip_nb.weights import WeightsError, read_config, read_state

Rng = random.Random
EVENTS = {  # what code would have to do to start something, touch a file, or reach out
    *("exec", "compile", "import", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"),
    *("os.mkdir", "os.remove", "os.rename", "os.fork", "ctypes.dlopen", "socket.connect"),
    *("pickle.find_class", "shutil.rmtree", "urllib.Request", "code.__new__"),
}


def harmful(event: str, arguments: tuple) -> bool:
    """Whether reading a file must not do this; an `open` counts when it is for writing."""
    flags = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
    return event in EVENTS or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def read(path: Path) -> object:
    return (read_config if path.suffix == ".yaml" else read_state)(path)


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
        "script.pt": scripted(torch.nn.Sequential(torch.nn.Linear(2, 3))),
        "writes.pt": scripted(crafting.Writes("written")),
        "bomb.pt": saved({"state_dict": small, "x": Bomb(Path("made"))}),
        "old bomb.pt": saved({"x": Bomb(Path("made"))}, zipped=False),
        "small.safetensors": save(small, {"config": "{}", "words": "one two"}),
        "model.yaml": vqgan.yaml().encode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        for n, data in good.items():  # so that all that reading needs is imported
            with contextlib.suppress(WeightsError):
                read(write(Path(folder), n, data))
    bad = {n: data for n, (_, data) in hostile.weights().items()}
    for n, (_, words) in hostile.configs().items():
        bad[f"{n}.yaml"] = words.encode("utf8", "surrogateescape")
    return good, {n: data for n, data in bad.items() if len(data) < 10_000}


# -- damaged


def flip_bits(data: bytearray, rng: Rng) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut_out(data: bytearray, rng: Rng) -> bytes:
    """Some bytes are missing, or all from there on."""
    a = rng.randrange(len(data))
    del data[a : rng.choice((a + rng.randrange(1, 200), len(data)))]
    return bytes(data)


def repeat(data: bytearray, rng: Rng) -> bytes:
    a, b, c = rng.randrange(len(data)), rng.randrange(1, 300), rng.randrange(len(data))
    data[c:c] = data[a : a + b] * rng.choice((1, 1, 2, 50))
    return bytes(data)


def numbers(data: bytearray, rng: Rng) -> bytes:
    """A length or an offset becomes an odd one."""
    size, form = rng.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
    odd = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, len(data)))
    at = rng.randrange(len(data))
    data[at : at + size] = struct.pack(form, odd % 2 ** (8 * size))
    return bytes(data)


DAMAGES = (flip_bits, cut_out, repeat, numbers)


def inside_zip(data: bytearray, rng: Rng) -> bytes:
    """Damage one small entry, and pack everything anew with right checksums."""
    try:
        old = zipfile.ZipFile(BytesIO(data))
        entries = [(i.filename, old.read(i)) for i in old.infolist()]
    except Exception:
        return flip_bits(data, rng)
    targets = [i for i, (n, d) in enumerate(entries) if d and ".debug_pkl" not in n]
    chosen = [i for i in targets if entries[i][0].endswith(("data.pkl", ".py"))] or targets
    if not chosen:
        return bytes(data)
    at = rng.choice(chosen if rng.random() < 0.8 else targets)
    entries[at] = entries[at][0], rng.choice(DAMAGES)(bytearray(entries[at][1]), rng)
    if rng.random() < 0.1:
        entries.append(rng.choice(entries))
    file = BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as new:
        warnings.simplefilter("ignore")  # of names twice
        for entry, content in entries:
            new.writestr(entry, content)
    return file.getvalue()


def damaged(data: bytes, rng: Rng, *more: Callable[[bytearray, Rng], bytes]) -> bytes:
    """The bytes with one to three damages: of `DAMAGES`, or `more`."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice((*DAMAGES, *more))(bytearray(data), rng) if data else data
    return data


# -- crafted anew


def pickled(rng: Rng) -> bytes:
    """Instructions in any order, most of them sensible ones."""
    names = (
        *("os system", "builtins eval", "builtins getattr", "torch load", "torch.hub load"),
        *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"),
        *("collections OrderedDict", "torch FloatStorage", "torch Size", "__torch__ M"),
        *("torch.jit._pickle restore_type_tag", "torch._tensor _rebuild_from_type_v2"),
    )
    words = ("storage", "0", "state_dict", "w", "touch written", "\ud800")
    single = b"()]}N\x88\x89tuesabRQ\x81\x85\x86\x87"

    def odd() -> int:
        return rng.choice((-1, 0, 1, 2, 3, 4, 7, 2**31, 2**47, 2**63))

    def shape() -> bytes:
        return row(*(rng.choice((1, 2, odd())) for _ in range(rng.randrange(4))))

    def stored() -> bytes:
        return storage(rng.choice((4, odd())), rng.choice("01"))

    parts: list[Callable[[], bytes]] = [
        lambda: name(*rng.choice(names).split()),
        lambda: text(rng.choice(words)),
        lambda: crafting.whole(odd()),
        stored,
        lambda: tensor(stored(), shape(), shape(), rng.choice((0, odd()))),
        lambda: bytes([rng.choice(single)]),
        lambda: bytes([rng.choice(single)]),
        lambda: rng.choice((b"q", b"h")) + bytes([rng.randrange(4)]),
        lambda: bytes([rng.randrange(256)]),
    ]
    body = b"".join(rng.choice(parts)() for _ in range(rng.randrange(1, 40)))
    return rng.choice((b"\x80\x02" + body + b".", b"\x80\x02}(" + text("w") + body + b"u."))


# -- the run


def weights(rng: Rng, pair: object, folder: Path) -> str:
    """A damaged or crafted file is read or refused, and nothing else is done."""
    good, bad = seeds()
    if rng.random() < 0.3:
        name, data = "a.pt", packed(pickled(rng), {"0": bytes(16)})
    else:
        name, data = rng.choice(list((good if rng.random() < 0.7 else bad).items()))
        data = damaged(data, rng, inside_zip, inside_zip)
    return read_one(folder / name, data)


def read_one(path: Path, data: bytes) -> str:
    """Whether a file is "read" or "refused"; it is the only one in its folder."""
    path.write_bytes(data)
    with contextlib.chdir(path.parent), hostile.noticed(harmful) as done:
        try:
            read(path)
            answer = "read"
        except WeightsError:
            answer = "refused"
    assert not done, done[:5]
    path.unlink()
    assert not list(path.parent.iterdir())
    return answer
