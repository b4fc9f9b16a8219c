"""A run's state as a file, from which it continues bit for bit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .files import write_atomically
from .frames import Frame
from .models.pair import Pair
from .recipe import check_parts, without_pictures
from .settings import Settings
from .weights import WeightsError, read_state

if TYPE_CHECKING:
    from .run import Run

NEEDED = ("settings", "pair", "hashes", "parts", "place", "changes", "frames")


def previous(path: Path) -> Path:
    """Where the copy before the newest one is kept."""
    return path.with_name(path.name + ".previous")


def save_run(path: str | Path, run: Run) -> Path:
    """Write a run's state as safetensors with a checksum; the file that was there before stays
    beside it as PATH.previous."""
    from safetensors.torch import save

    path = Path(path)
    tensors = {"history": torch.tensor(run.history, dtype=torch.float64).view(-1, 4)}
    if not run.done:
        tensors |= {f"now.{k}": v.cpu() for k, v in run.painting.state().items()}
        tensors |= {f"good.{k}": v.cpu().clone() for k, v in run.painting.last_good.items()}
    last_is_kept = run.last in run.frames
    kept = [*run.frames, *([run.last] if run.last and not last_is_kept else [])]
    for i, frame in enumerate(kept):
        tensors[f"frame.{i}.png"] = torch.frombuffer(bytearray(frame.png()), dtype=torch.uint8)
        tensors |= {f"frame.{i}.{k}": v.clone() for k, v in frame.state.items()}
    metadata = {
        "settings": run.first.to_json(),
        "pair": run.pair.name,
        "hashes": json.dumps(run.pair.hashes),
        "parts": json.dumps(sorted(run.parts)),
        "place": json.dumps([run.index, run.seconds, last_is_kept]),
        "changes": json.dumps(run.changes),
        "frames": json.dumps([[f.iteration, f.index, f.loss, f.similarity, f.shown] for f in kept]),
    }
    metadata["checksum"] = checksum(tensors, metadata)
    content = save(tensors, metadata)  # `save_file` leaves a temporary file when it is killed

    def write(part: Path) -> None:
        part.write_bytes(content)
        with contextlib.suppress(FileNotFoundError):  # the first copy, or another writer's turn
            path.replace(previous(path))

    return write_atomically(path, write)


def load_run(
    path: str | Path, make: Callable[..., Run], pair: Pair, parts: Mapping[str, Any]
) -> Run:
    """The run in a file, or if that is damaged in the copy before it, with a warning; made by
    `make(pair, settings, **parts)`. Errors as in `Run.resume`."""
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
    with _reading(path):
        hashes, needed = json.loads(metadata["hashes"]), json.loads(metadata["parts"])
    if hashes != pair.hashes:
        raise ValueError(
            f"{path} was made with the pair {metadata['pair']!r} of other weights than "
            f"{pair.name!r} here"
        )
    check_parts(path, needed, parts)
    with _reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # given when the run was first made
        first = Settings.from_json(metadata["settings"])
        changes = [(int(at), dict(change)) for at, change in json.loads(metadata["changes"])]
        for values in (dataclasses.asdict(first), *(change for _, change in changes)):
            if named := without_pictures(values):
                raise ValueError(
                    f"{', '.join(named)} name pictures by path, which are never opened"
                )
        run = make(pair, first, **parts)
        index, run.seconds, last_is_kept = json.loads(metadata["place"])
        run.history = [(int(a), int(b), c, d) for a, b, c, d in tensors["history"].tolist()]
        for i, facts in enumerate(json.loads(metadata["frames"])):
            state = _with_prefix(tensors, f"frame.{i}.")
            png = state.pop("png").numpy().tobytes()
            iteration, at, loss, similarity, shown = facts
            run.frames.append(Frame(iteration, at, loss, similarity, shown, png, state=state))
        run.go_to(index, changes, _with_prefix(tensors, "now."))
        if not run.done:
            run.painting.last_good = _with_prefix(tensors, "good.")
        run.last = run.frames[-1] if run.frames else None
        if not last_is_kept:
            del run.frames[-1:]
    return run


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Errors of contents that do not fit together become WeightsError."""
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as e:
        raise WeightsError(f"{path} holds a saved run that cannot be read: {e}") from e
    except RecursionError as e:
        raise WeightsError(f"{path} holds a saved run that is nested too deep") from e


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
