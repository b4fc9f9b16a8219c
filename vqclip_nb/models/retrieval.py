"""A start for pairs without drawings of their own: the nearest of pictures that the user gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from ..images import load_image
from .pair import Pair


class PictureLibrary:
    """Picture files, found by what the pair's CLIP sees in them.

    Raises ValueError for no files, and as `load_image` for a file that is none.
    """

    def __init__(self, paths: Sequence[str | Path], pair: Pair) -> None:
        if not paths:
            raise ValueError("a library of pictures needs at least one file")
        self.paths, self.pair = [Path(p) for p in paths], pair
        side = (pair.clip.resolution, pair.clip.resolution)
        with torch.no_grad():
            seen = [pair.clip.encode_image(load_image(p, side).to(pair.device)) for p in self.paths]
        self._seen = F.normalize(torch.cat(seen), dim=-1)  # (n, d)

    def __len__(self) -> int:
        return len(self.paths)

    def ranking(self, prompt: str) -> list[Path]:
        """The files, the one most like the prompt first."""
        wanted = F.normalize(self.pair.clip.encode_text([prompt]), dim=-1)
        return [self.paths[i] for i in (self._seen @ wanted[0]).argsort(descending=True).tolist()]

    def find(
        self, prompt: str, *, height: int, width: int, variant: int = 0
    ) -> tuple[torch.Tensor, str]:
        """Picture (1, 3, height, width) in [0, 1] and the name of the file most like the prompt;
        `variant` 1, 2, ... for those after it."""
        path = self.ranking(prompt)[variant % len(self)]
        return load_image(path, (height, width)), path.name
