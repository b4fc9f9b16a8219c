"""Toy networks published on a server of this machine, under the names that `load_pair` takes."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import filelock  # noqa: F401  imported here, as nobody below may not read the modules' files
import platformdirs  # noqa: F401
import pytest
import requests  # noqa: F401
import torch
import tqdm.auto  # noqa: F401
from published import CKPT, GUIDE, YAML, Original, archive, sha256, small_clip
from shelf import Shelf

from vqclip_nb import weights
from vqclip_nb.weights import File


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The networks, and the files that were published of them."""
    torch.manual_seed(0)
    plain, gumbel, guide = Original(), Original(gumbel=True), small_clip()
    return SimpleNamespace(
        plain=plain,
        gumbel=gumbel,
        archive=archive(guide),
        guide=guide.float(),
        checkpoint=plain.checkpoint(),
        yaml=plain.yaml().encode(),
        gumbel_checkpoint=gumbel.checkpoint(),
        gumbel_yaml=gumbel.yaml().encode(),
    )


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with closing(Shelf()) as shelf:
        yield shelf


@pytest.fixture
def cache(cache) -> Path:
    """It is there, and empty."""
    cache.mkdir()
    return cache


@pytest.fixture
def publish(made, shelf, cache, monkeypatch) -> Callable[..., Path]:
    """Put files on the server and in the tables: `vq.load_pair("imagenet")` asks that server."""

    def table(name: str, data: bytes, mirrors: list[str]) -> File:
        urls = tuple(m if m.startswith("http") else shelf.url(m) for m in mirrors)
        return File(name, urls, sha256(data), len(data), "MIT")

    def publish(name="imagenet", checkpoint=None, yaml=None, mirrors=(CKPT,)) -> Path:
        checkpoint, yaml = checkpoint or made.checkpoint, yaml or made.yaml
        shelf.files |= {CKPT: checkpoint, YAML: yaml, GUIDE: made.archive}
        entry = (table("vqgan.ckpt", checkpoint, list(mirrors)), table("vqgan.yaml", yaml, [YAML]))
        monkeypatch.setitem(weights.VQGANS, name, entry)
        monkeypatch.setitem(weights.CLIPS, "ViT-B/32", table(GUIDE, made.archive, [GUIDE]))
        return cache

    return publish
