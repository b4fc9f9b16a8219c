"""A run's state as a file, from which it continues bit for bit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .files import write_atomically
from .frames import Frame
from .loop import State
from .recipe import without_pictures
from .settings import Settings
from .weights import WeightsError, read_state

NEEDED = ("settings", "pair", "hashes", "parts", "place", "changes", "frames")


@dataclasses.dataclass
class Saved:
    """A run's state.

    first: its settings at the start. pair, hashes: name and hashes of the pair. parts: names of the
    parts of the loop that were replaced. index: the current picture. history, changes, frames,
    last, seconds: as in `Run`. state, last_good: of the current picture; empty when all are done.
    """

    first: Settings
    pair: str
    hashes: dict[str, str]
    parts: list[str]
    index: int
    seconds: float
    history: list[tuple[int, int, float, float]]
    changes: list[tuple[int, dict[str, Any]]]
    frames: list[Frame]
    last: Frame | None
    state: State
    last_good: State


def previous(path: Path) -> Path:
    """Where the copy before the newest one is kept."""
    return path.with_name(path.name + ".previous")


def save_run(path: str | Path, saved: Saved) -> Path:
    """Write a run's state as safetensors with a checksum; the file that was there before stays
    beside it as PATH.previous."""
    from safetensors.torch import save

    path = Path(path)
    tensors = {f"now.{k}": v.cpu() for k, v in saved.state.items()}
    tensors |= {f"good.{k}": v.cpu().clone() for k, v in saved.last_good.items()}
    tensors["history"] = torch.tensor(saved.history, dtype=torch.float64).view(-1, 4)
    last_is_kept = saved.last in saved.frames
    kept = [*saved.frames, *([saved.last] if saved.last and not last_is_kept else [])]
    for i, frame in enumerate(kept):
        png = frame.pixels if isinstance(frame.pixels, bytes) else frame.png()
        tensors[f"frame.{i}.png"] = torch.frombuffer(bytearray(png), dtype=torch.uint8)
        tensors |= {f"frame.{i}.{k}": v.clone() for k, v in frame.state.items()}
    facts = [[f.iteration, f.index, f.loss, f.similarity, f.shown] for f in kept]
    metadata = {
        "settings": saved.first.to_json(),
        "pair": saved.pair,
        "hashes": json.dumps(saved.hashes),
        "parts": json.dumps(saved.parts),
        "place": json.dumps([saved.index, saved.seconds, last_is_kept]),
        "changes": json.dumps(saved.changes),
        "frames": json.dumps(facts),
    }
    metadata["checksum"] = checksum(tensors, metadata)
    content = save(tensors, metadata)  # `save_file` leaves a temporary file when it is killed

    def write(part: Path) -> None:
        part.write_bytes(content)
        with contextlib.suppress(FileNotFoundError):  # the first copy, or another writer's turn
            path.replace(previous(path))

    return write_atomically(path, write)


def load_run(path: str | Path) -> Saved:
    """A run's state from a file; if that is damaged, from the copy before it, with a warning.

    FileNotFoundError; WeightsError if file and copy are damaged or no saved run. Pictures that it
    names by path are never opened: it is refused.
    """
    path = Path(path)
    if not path.is_file() and not previous(path).is_file():
        raise FileNotFoundError(f"no saved run at {str(path)!r}")
    try:
        tensors, metadata = read_saved(path)
    except WeightsError as e:
        if not previous(path).is_file():
            raise
        warnings.warn(f"{e}; the copy before it is used", stacklevel=3)
        tensors, metadata = read_saved(previous(path))
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # given when the run was first made
        return _parse(tensors, metadata)


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Errors of contents that do not fit together become WeightsError."""
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as e:
        raise WeightsError(f"{path} holds a saved run that cannot be read: {e}") from e
    except RecursionError as e:
        raise WeightsError(f"{path} holds a saved run that is nested too deep") from e


def _parse(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> Saved:
    first = Settings.from_json(metadata["settings"])
    changes = [(int(at), dict(change)) for at, change in json.loads(metadata["changes"])]
    for values in (dataclasses.asdict(first), *(change for _, change in changes)):
        if named := without_pictures(values):
            raise ValueError(f"{', '.join(named)} name pictures by path, which are never opened")
    index, seconds, last_is_kept = json.loads(metadata["place"])
    history = [(int(a), int(b), c, d) for a, b, c, d in tensors["history"].tolist()]
    frames = []
    for i, facts in enumerate(json.loads(metadata["frames"])):
        state = _with_prefix(tensors, f"frame.{i}.")
        png = state.pop("png").numpy().tobytes()
        iteration, at, loss, similarity, shown = facts
        frames.append(Frame(iteration, at, loss, similarity, shown, png, state=state))
    last = frames[-1] if frames else None
    return Saved(
        first,
        metadata["pair"],
        json.loads(metadata["hashes"]),
        json.loads(metadata["parts"]),
        index,
        seconds,
        history,
        changes,
        frames if last_is_kept else frames[:-1],
        last,
        _with_prefix(tensors, "now."),
        _with_prefix(tensors, "good."),
    )


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}


def checksum(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """SHA-256 of the tensors' names, types, shapes and contents, and of the metadata."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    for name, text in sorted(metadata.items()):
        if name != "checksum":
            digest.update(f"{name} {text}\n".encode())
    return digest.hexdigest()


def read_saved(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a saved run; WeightsError if it is none or any bit of it changed."""
    tensors, metadata = read_state(path)
    if missing := [k for k in NEEDED if k not in metadata]:
        raise WeightsError(f"{path} holds no saved run of this version: it lacks {missing[0]}")
    if metadata.get("checksum") != checksum(tensors, metadata):
        raise WeightsError(f"{path} is damaged: its checksum does not fit its contents")
    return tensors, metadata
