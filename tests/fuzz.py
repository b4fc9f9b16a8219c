"""Random settings, recipes, saved runs and weight files; FUZZ=100 in the environment tries more."""

import contextlib
import encodings.raw_unicode_escape  # noqa: F401  pickletools asks for it at an old instruction
import json
import math
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import crafting
import hostile
import torch
from crafting import Bomb, name, packed, picture, row, scripted, storage, tensor, text
from hypothesis import strategies as st
from published import Original, archive, saved, small_clip, write
from safetensors.torch import save

import vqclip_nb as vq
from vqclip_nb.settings import KNOBS, TYPES
from vqclip_nb.weights import WeightsError, read_config, read_state

EVENTS = {  # what code would have to do to start something, touch a file, or reach out
    *("exec", "compile", "import", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"),
    *("os.mkdir", "os.remove", "os.rename", "os.fork", "ctypes.dlopen", "socket.connect"),
    *("pickle.find_class", "shutil.rmtree", "urllib.Request", "code.__new__"),
}


def harmful(event: str, arguments: tuple) -> bool:
    """Whether reading a file must not do this; an `open` counts when it is for writing."""
    flags = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
    return event in EVENTS or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


KINDS = st.sampled_from(["flip", "drop", "end", "repeat", "number"])
DAMAGE = st.tuples(KINDS, st.integers(0, 1 << 24), st.integers(1, 255))
DAMAGES = st.lists(DAMAGE, min_size=1, max_size=3)


def damaged(data: bytes, damages: list[tuple[str, int, int]]) -> bytes:
    """Each damage is of a kind, at a place, and so large."""
    for kind, place, size in damages:
        if data:
            at = place % len(data)
            before, part, after = data[:at], data[at : at + size], data[at + size :]
            flipped = bytes([part[0] ^ size]) + part[1:]
            changed = {"drop": b"", "repeat": part * 3, "number": b"\xff" * 4 + part[4:]}
            data = before + changed.get(kind, flipped) + after * (kind != "end")
    return data


@cache
def seeds() -> dict[str, bytes]:
    """Good files and hostile ones, to be damaged. The suffix says the form."""
    torch.manual_seed(0)
    small, vqgan = {"a.weight": torch.rand(3, 4), "b": torch.arange(5)}, Original()
    files = {
        "clip.pt": archive(small_clip()),
        "vqgan.ckpt": vqgan.checkpoint(),
        "writes.pt": scripted(crafting.Writes("written")),
        "bomb.pt": saved({"state_dict": small, "x": Bomb(Path("made"))}),
        "old bomb.pt": saved({"x": Bomb(Path("made"))}, zipped=False),
        "small.safetensors": save(small, {"config": "{}", "words": "one two"}),
        "model.yaml": vqgan.yaml().encode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        for n, data in files.items():
            with contextlib.suppress(WeightsError):
                read(write(Path(folder), n, data))
    return files | {n: data for n, (_, data) in hostile.weights().items() if len(data) < 10_000}


NUMBERS = (-1, 0, 1, 2, 4, 2**31, 2**47, 2**63)
NAMES = "os system|builtins eval|torch load|torch._utils _rebuild_tensor_v2|torch Size|__torch__ M"
PIECES = [
    *(name(*of.split()) for of in NAMES.split("|")),
    *(text(word) for word in ("storage", "0", "state_dict", "w", "touch written", "\ud800")),
    *(crafting.whole(number) for number in NUMBERS),
    *(storage(number) for number in NUMBERS),
    *(tensor(storage(4), row(n), row(m), m) for n in NUMBERS for m in NUMBERS),
    *(bytes([code]) for code in [*range(256), *b"()]}N\x88\x89tuesabRQ\x81\x85\x86\x87" * 8]),
]
CRAFTED = st.lists(st.sampled_from(PIECES), min_size=1, max_size=40).map(
    lambda pieces: ("a.pt", packed(b"\x80\x02" + b"".join(pieces) + b".", {"0": bytes(16)}))
)
NAMED = st.deferred(lambda: st.sampled_from([*seeds()]))
WEIGHTS = CRAFTED | st.builds(lambda n, d: (n, damaged(seeds()[n], d)), NAMED, DAMAGES)


def read(path: Path) -> object:
    return (read_config if path.suffix == ".yaml" else read_state)(path)


def read_one(path: Path, data: bytes) -> str:
    """Whether a file is "read" or "refused"; it is the only one in its folder."""
    seeds()  # so that all that reading needs is imported
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


ODD = [
    None, True, -1, 0, 1e-46, 1e39, -1e308, float("nan"), float("inf"), 10**400, "", " ", "|", ":",
    "\x00", "\ud800", "a" * 3000, [], [[]], {}, 2.5, "a fox", "a fox:1e39 | snow:-1e-46",
    "x" * 200, "a|b|c:0", "nowhere.png", "data:image/png;base64,AAAA", "🦊🏽‍🚀", "${oc.env:HOME}",
]  # fmt: skip
TINY = dict(total_iter=2, crops=2, height=16, width=16, show_step=1)
WORDS = ["a fox", "snow", "ocean", "🦊", "a red apple:2", "unheard", "a|b", "tree:-1"]
LISTED = {
    "attributes": ["red: 0.5", "small", "big: -1", "a line drawing: 1", "red: 2", "huge", ":"],
    "palette": ["navy", "#ff8800", "gold", "nothing"],
    "regions": ["left: a fox", "0 0 .5 1: snow", "nowhere: a fox"],
}


def values(name: str) -> st.SearchStrategy:
    """Of a setting: what is allowed, or odd."""
    knob = KNOBS[name]
    if name in LISTED:
        return st.lists(st.sampled_from(LISTED[name]), max_size=3)
    if knob.choices or TYPES[name] == "bool":
        return st.sampled_from([*(knob.choices or (True, False)), *ODD[:5]])
    if knob.high is None:
        return st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" | ".join)
    number = st.integers if TYPES[name] == "int" else st.floats
    return number(knob.low, knob.high) | st.sampled_from(ODD)


SETTINGS = st.lists(st.sampled_from([*KNOBS]), min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: values(name) for name in names})
)


def settings(asked: dict[str, Any], pair: vq.Pair, folder: Path) -> str:
    """Any settings give two steps of finite numbers, or an error that names the field."""
    try:
        made = vq.Settings(**{"include": ["a fox"], "start": "library"} | asked | TINY)
    except ValueError as e:
        assert any(name in str(e) for name in asked), (asked, e)
        return "refused"
    assert vq.Settings.from_json(made.to_json()) == made
    try:
        run = vq.Run(pair, made)
    except (ValueError, FileNotFoundError) as e:  # weights that cancel, no picture, no word known
        assert str(e)
        return "refused"
    for frame in run:
        assert math.isfinite(frame.loss) and math.isfinite(frame.similarity), asked
    assert run.done
    return "painted"


def recipes(given: tuple[dict, int, list], pair: vq.Pair, folder: Path) -> str:
    """Any recipe gives settings, or a ValueError; here of any settings, cut off or damaged."""
    asked, cut, damages = given
    base = json.loads(vq.Settings(include=["a fox"], start="library", **TINY).to_json())
    recipe = {"made_by": "vqclip_nb", "form": 2, "hashes": pair.hashes, "steps": 1, "changes": []}
    told = json.dumps(recipe | {"settings": base | asked | TINY})
    content = picture(recipe=told[: None if cut % 3 else cut])
    path = write(folder, "a.png", damaged(content, damages) if damages else content)
    try:
        vq.open_recipe(path)
        vq.replay(path, pair)
        return "painted"
    except ValueError as e:
        assert str(e)
        return "refused"


def saved_runs(damages: list, pair: vq.Pair, folder: Path) -> str:
    """A saved run with any damage is refused; nothing goes on differently in silence."""
    path = folder / "whole.state"
    if not path.exists():
        run = vq.Run(pair, vq.Settings(include=["a fox"], start="library", **TINY))
        run.step()
        run.save(path)
    content = damaged(path.read_bytes(), damages)
    try:
        vq.Run.resume(write(folder, "damaged.state", content), pair)
    except vq.WeightsError as e:
        assert str(e)
        return "refused"
    assert content == path.read_bytes()
    return "read"


FUZZERS = {  # what is drawn, and what is done with it
    "settings": (SETTINGS, settings),
    "recipes": (st.tuples(SETTINGS, st.integers(0, 900), st.just([]) | DAMAGES), recipes),
    "saved_runs": (DAMAGES, saved_runs),
    "weights": (WEIGHTS, lambda file, pair, folder: read_one(folder / file[0], file[1])),
}
