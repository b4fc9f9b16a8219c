"""A run on disk and back, bit for bit; and a second one from a frame of the first."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .files import write_atomically
from .frames import Frame
from .loop import State
from .prompts import create_encodings
from .recipe import without_pictures
from .settings import KNOBS, Settings
from .weights import WeightsError

if TYPE_CHECKING:
    from .models.pair import Pair
    from .run import Run

log = logging.getLogger(__name__)
PARTS = ("objective", "crops", "latent", "optimizer")  # what `Run` takes in place of its own
NEEDED = ("settings", "pair", "hashes", "parts", "place", "changes", "frames")


def previous(path: Path) -> Path:
    """Where the copy before the newest one is kept."""
    return path.with_name(path.name + ".previous")


class Checkpoints:
    """What a `Run` needs to go on in another process."""

    def steps_before(self: Run, frame: Frame) -> int:
        """How many steps came before `frame`; ValueError if it is none of this run's."""
        return self.history.index((frame.index, frame.iteration, frame.loss, frame.similarity))

    def branch(self: Run, frame: Frame, **changes: Any) -> Run:
        """A second run that continues from a kept `frame` of this one, with the settings of now and
        live ones changed.

        ValueError if the frame's state is no longer kept (see `run.STATES_KEPT`).
        """
        if not frame.state:
            raise ValueError(
                f"iteration {frame.iteration} can no longer be continued: choose a frame near it"
            )
        at = self.steps_before(frame)
        run = type(self)(self.pair, self.first, **self.parts)
        run.history, run.seconds = self.history[:at], self.seconds * at / len(self.history)
        run.frames = [f for f in self.frames if self.steps_before(f) < at]
        run.go_to(frame.index, [c for c in self.changes if c[0] <= at], frame.state)
        run.last = frame
        now = {
            k: getattr(self.settings, k) for k in KNOBS if self.settings.live(k) and k != "loosen"
        }
        run.change(**now | changes)
        return run

    def go_to(
        self: Run, index: int, changes: list[tuple[int, dict[str, Any]]], state: State
    ) -> None:
        """Put the run into a state that one with the same pair and first settings was in."""
        self.changes = changes
        self.settings = self.first.replace(**{k: v for _, c in changes for k, v in c.items()})
        self.encodings = create_encodings(self.pair, self.settings)
        self._begin(index)
        if not self.done:
            self.painting.load(state)

    def save(self: Run, path: str | Path) -> Path:
        """Write everything needed to go on later, as safetensors; see `resume`. The copy that was
        there stays beside it as PATH.previous."""
        from safetensors.torch import save

        path = Path(path)
        tensors = (
            {} if self.done else {f"now.{k}": v.cpu() for k, v in self.painting.state().items()}
        )
        if not self.done:
            tensors |= {f"good.{k}": v.cpu().clone() for k, v in self.painting.last_good.items()}
        tensors["history"] = torch.tensor(self.history, dtype=torch.float64).view(-1, 4)
        kept = [*self.frames, *([self.last] if self.last and self.last not in self.frames else [])]
        for i, frame in enumerate(kept):
            png = frame.pixels if isinstance(frame.pixels, bytes) else frame.png()
            tensors[f"frame.{i}.png"] = torch.frombuffer(bytearray(png), dtype=torch.uint8)
            tensors |= {f"frame.{i}.{k}": v.clone() for k, v in frame.state.items()}
        facts = [[f.iteration, f.index, f.loss, f.similarity, f.shown] for f in kept]
        metadata = {
            "settings": self.first.to_json(),
            "pair": self.pair.name,
            "hashes": json.dumps(self.pair.hashes),
            "parts": json.dumps(sorted(self.parts)),
            "place": json.dumps([self.index, self.seconds, self.last in self.frames]),
            "changes": json.dumps(self.changes),
            "frames": json.dumps(facts),
        }
        metadata["checksum"] = checksum(tensors, metadata)

        content = save(tensors, metadata)  # `save_file` leaves a temporary file when it is killed

        def write(part: Path) -> None:
            part.write_bytes(content)
            with contextlib.suppress(FileNotFoundError):  # the first copy, or another writer's turn
                path.replace(previous(path))

        return write_atomically(path, write)

    @classmethod
    def resume(cls: type[Run], path: str | Path, pair: Pair, **parts: Any) -> Run:
        """A saved run, to be continued bit for bit.

        A damaged file is passed over for the copy before it, with a warning. parts: those of `Run`
        that replaced a part of the loop. FileNotFoundError; WeightsError if the file and its
        copy are damaged or no saved run; ValueError if it was made with other networks or parts;
        TypeError for an option that is no part. A picture that it names by path is never opened.
        """
        if wrong := parts.keys() - PARTS:
            raise TypeError(
                f"{', '.join(sorted(wrong))}: a saved run keeps its settings; give only parts "
                f"({', '.join(PARTS)}), and change settings afterwards with run.change"
            )
        path = Path(path)
        if not path.is_file() and not previous(path).is_file():
            raise FileNotFoundError(f"no saved run at {str(path)!r}")
        try:
            tensors, metadata = read_saved(path)
        except WeightsError as e:
            if not previous(path).is_file():
                raise
            warnings.warn(f"{e}; the copy before it is used", stacklevel=2)
            tensors, metadata = read_saved(previous(path))
        if json.loads(metadata["hashes"]) != pair.hashes:
            raise ValueError(
                f"{path} was made with the pair {metadata['pair']!r} of other weights than "
                f"{pair.name!r} here"
            )
        if missing := set(json.loads(metadata["parts"])) - parts.keys():
            raise ValueError(
                f"{path} was made with parts of its own: give {', '.join(sorted(missing))}"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # said when the run was first made
                return _restored(cls, tensors, metadata, pair, parts)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as e:
            raise WeightsError(f"{path} holds a saved run that cannot be read: {e}") from e


def _restored(cls: type[Run], tensors: dict, metadata: dict, pair: Pair, parts: dict) -> Run:
    settings = Settings.from_json(metadata["settings"])
    changes = [(int(at), dict(change)) for at, change in json.loads(metadata["changes"])]
    for values in (dataclasses.asdict(settings), *(change for _, change in changes)):
        if named := without_pictures(values):
            raise ValueError(f"{', '.join(named)} name pictures by path, which are never opened")
    run = cls(pair, settings, **parts)
    index, run.seconds, last_is_kept = json.loads(metadata["place"])
    run.history = [(int(a), int(b), c, d) for a, b, c, d in tensors["history"].tolist()]
    for i, (iteration, at, loss, similarity, shown) in enumerate(json.loads(metadata["frames"])):
        state = part(tensors, f"frame.{i}.")
        png = state.pop("png").numpy().tobytes()
        run.frames.append(Frame(iteration, at, loss, similarity, shown, png, state))
    run.go_to(index, changes, part(tensors, "now."))
    if not run.done:
        run.painting.last_good = part(tensors, "good.")
    if run.frames:
        run.last = run.frames[-1] if last_is_kept else run.frames.pop()
    return run


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}


def checksum(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """SHA-256 over names, kinds, shapes, contents and all words but the checksum itself."""
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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as e:
        raise WeightsError(f"{path} is damaged or no saved run: {e}") from e
    if missing := [k for k in NEEDED if k not in metadata]:
        raise WeightsError(f"{path} holds no saved run of this version: it lacks {missing[0]}")
    if metadata.get("checksum") != checksum(tensors, metadata):
        raise WeightsError(f"{path} is damaged: its checksum does not fit its contents")
    return tensors, metadata
