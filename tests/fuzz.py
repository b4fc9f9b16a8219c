"""What no setting, recipe, saved run or weight file may do, tried at random: an error of an
undocumented kind, or, of a weight file, anything but being read.

    FUZZ=100 pytest tests/test_doors.py -k undocumented -s

tries a hundred times as much as the tests do.
"""

from __future__ import annotations

import contextlib
import encodings.raw_unicode_escape  # noqa: F401  pickletools asks for it at an old instruction
import json
import math
import os
import random
import struct
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import crafting
import hostile
import torch
from crafting import Bomb, name, packed, row, scripted, storage, tensor, text
from pictures import picture
from published import Original, archive, saved, small_clip, write
from safetensors.torch import save

import vqclip_nb as vq
from vqclip_nb.settings import KNOBS, TYPES
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


# -- weight files, damaged


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
    """Damage one entry, mostly the pickle, and pack everything anew with right checksums."""
    try:
        old = zipfile.ZipFile(BytesIO(data))
        entries = {i.filename: old.read(i) for i in old.infolist()}
    except Exception:
        return flip_bits(data, rng)
    full = [entry for entry, content in entries.items() if content]
    pickles = [entry for entry in full if entry.endswith(("data.pkl", ".py"))]
    if not full:
        return bytes(data)
    chosen = rng.choice(pickles if pickles and rng.random() < 0.8 else full)
    entries[chosen] = rng.choice(DAMAGES)(bytearray(entries[chosen]), rng)
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as new:
        for entry, content in entries.items():
            new.writestr(entry, content)
    return file.getvalue()


def damaged(data: bytes, rng: Rng, *more: Callable[[bytearray, Rng], bytes]) -> bytes:
    """The bytes with one to three damages: of `DAMAGES`, or `more`."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice((*DAMAGES, *more))(bytearray(data), rng) if data else data
    return data


# -- weight files, crafted anew

NAMES = (
    *("os system", "builtins eval", "builtins getattr", "torch load", "torch.hub load"),
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"),
    *("collections OrderedDict", "torch FloatStorage", "torch Size", "__torch__ M"),
    *("torch.jit._pickle restore_type_tag", "torch._tensor _rebuild_from_type_v2"),
)
LENGTHS = (-1, 0, 1, 2, 3, 4, 7, 2**31, 2**47, 2**63)


@cache
def instructions() -> list[list[bytes]]:
    """What pickles are made of, by kind."""
    pick = random.Random(0).choice
    storages = [storage(pick((4, *LENGTHS)), key) for key in "01" for _ in range(10)]
    shapes = [row(*(pick((1, 2, *LENGTHS)) for _ in range(n))) for n in (0, 1, 2, 3) * 25]
    how = [(pick(storages), pick(shapes), pick(shapes), pick((0, *LENGTHS))) for _ in range(500)]
    single = [bytes([code]) for code in b"()]}N\x88\x89tuesabRQ\x81\x85\x86\x87"]
    return [
        [name(*of.split()) for of in NAMES],
        [text(word) for word in ("storage", "0", "state_dict", "w", "touch written", "\ud800")],
        [crafting.whole(number) for number in LENGTHS],
        storages,
        [tensor(*of) for of in how],
        *[single, single],
        [code + bytes([place]) for code in (b"q", b"h") for place in range(4)],
        [bytes([code]) for code in range(256)],
    ]


def pickled(rng: Rng) -> bytes:
    """Instructions in any order, most of them sensible ones."""
    kinds = rng.choices(instructions(), k=rng.randrange(1, 40))
    body = b"".join(map(rng.choice, kinds))
    return rng.choice((b"\x80\x02" + body + b".", b"\x80\x02}(" + text("w") + body + b"u."))


# -- what is done with each


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


# -- settings, recipes, saved runs

ODD = [
    None, True, -1, 0, 1e-46, 1e39, -1e308, float("nan"), float("inf"), 10**400, "", " ", "|", ":",
    "\x00", "\ud800", "a" * 3000, [], [[]], {}, b"x", 2.5, "a fox", "a fox:1e39 | snow:-1e-46",
    "x" * 200, "a|b|c:0", "nowhere.png", "data:image/png;base64,AAAA", "🦊🏽‍🚀", "${oc.env:HOME}",
]  # fmt: skip
TINY = dict(total_iter=2, crops=2, height=16, width=16, show_step=1)
LISTED = {
    "attributes": ["red: 0.5", "small", "big: -1", "a line drawing: 1", "red: 2", "huge", ":"],
    "palette": ["navy", "#ff8800", "gold", "nothing"],
    "regions": ["left: a fox", "0 0 .5 1: snow", "nowhere: a fox"],
}


def a_value(name: str, rng: Rng) -> Any:
    """One that is allowed, or on the border, or odd."""
    knob, kind = KNOBS[name], TYPES[name]
    if rng.random() < 0.15:
        return rng.choice(ODD)
    if knob.choices:
        return rng.choice(knob.choices)
    if kind == "bool":
        return rng.random() < 0.5
    if name in LISTED:
        return rng.choices(LISTED[name], k=rng.randint(0, 3))
    if knob.high is None:
        words = ["a fox", "snow", "ocean", "🦊", "a red apple:2", "unheard", "a|b", "tree:-1"]
        text = " | ".join(rng.sample(words, rng.randint(1, 3)))
        return "" if name.endswith("_image") else [text] if name == "include" else text
    border = rng.choice([knob.low, knob.high, rng.uniform(knob.low, knob.high), rng.gauss(0, 9)])
    return int(border) if kind == "int" and rng.random() < 0.9 else border


def settings(rng: Rng, pair: vq.Pair, folder: Path) -> str:
    """Any settings give two steps of finite numbers, or an error that names the field."""
    names = rng.sample(list(KNOBS), rng.randint(1, 6))
    values = {name: a_value(name, rng) for name in names} | TINY
    values = {"include": ["a fox"], "start": "library"} | values
    try:
        made = vq.Settings(**values)
    except ValueError as e:
        assert any(name in str(e) for name in names), (values, e)
        return "refused"
    assert vq.Settings.from_json(made.to_json()) == made
    try:
        run = vq.Run(pair, made)
    except (ValueError, FileNotFoundError) as e:  # weights that cancel, no picture, no word known
        assert str(e)
        return "refused"
    for frame in run:
        assert math.isfinite(frame.loss) and math.isfinite(frame.similarity), values
    assert run.done
    return "painted"


def recipes(rng: Rng, pair: vq.Pair, folder: Path) -> str:
    """Any recipe gives settings, or a ValueError."""
    base = json.loads(vq.Settings(include=["a fox"], start="library", **TINY).to_json())
    recipe: Any = {"made_by": "vqclip_nb", "form": 2, "settings": base, "hashes": pair.hashes}
    recipe |= {"steps": 1, "changes": []}
    for _ in range(rng.randint(1, 4)):
        target = rng.choice([recipe, base])
        target[rng.choice(list(target))] = rng.choice(ODD[:13] + ODD[14:])
    if rng.random() < 0.05:
        recipe = rng.choice(ODD[:10])
    text = json.dumps(recipe, default=str)
    if rng.random() < 0.2:
        text = text[: rng.randrange(len(text) + 1)]
    path, content = folder / "a.png", picture(recipe=text)
    path.write_bytes(damaged(content, rng) if rng.random() < 0.3 else content)
    try:
        vq.open_recipe(path)
        vq.replay(path, pair)
        return "painted"
    except ValueError as e:
        assert str(e)
        return "refused"


def saved_runs(rng: Rng, pair: vq.Pair, folder: Path) -> str:
    """A saved run with any damage is refused; nothing goes on differently in silence."""
    path = folder / "whole.state"
    if not path.exists():
        run = vq.Run(pair, vq.Settings(include=["a fox"], start="library", **TINY))
        run.step()
        run.save(path)
    content = damaged(path.read_bytes(), rng)
    other = folder / "damaged.state"
    other.write_bytes(content)
    try:
        vq.Run.resume(other, pair)
    except vq.WeightsError as e:
        assert str(e)
        return "refused"
    assert content == path.read_bytes()
    return "read"


FUZZERS = {f.__name__: f for f in (settings, recipes, saved_runs, weights)}


def fuzz(name: str, pair: vq.Pair, *, tries: int, seed: int = 0) -> Counter[str]:
    """What became of inputs: how many were painted, read, refused. What else happens is raised."""
    counts = Counter[str]()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(tries):
            try:
                rng = random.Random(f"{seed} {number}")
                counts[FUZZERS[name](rng, pair, Path(folder))] += 1
            except BaseException:
                print(f"{name}, seed {seed}, try {number}")
                raise
    return counts
