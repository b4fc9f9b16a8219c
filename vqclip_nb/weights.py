"""Where weight files come from: mirrors, hashes, a resumable checked download, safe reading, a slim
cache."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import pickle
import re
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

log = logging.getLogger(__name__)

HEIBOX = "https://heibox.uni-heidelberg.de"
PYTTI_VQGAN = (
    "https://huggingface.co/Somnai/pytti-vqgan-checkpoints/resolve/"
    "debc22c8f285c7734980c464ff992d335dde6e9a"
)
FEED_FORWARD = "https://github.com/mehdidc/feed_forward_vqgan_clip/releases/download/0.1"
TAMING = "MIT (taming-transformers, CompVis)"


class WeightsError(RuntimeError):
    """A weight file that cannot be had, is not what it should be, or must not be read."""


@dataclass(frozen=True)
class File:
    """A published file. Without `sha256` it is fetched only with consent."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    bytes: int
    licence: str


def _clip(name: str, sha256: str, size: int) -> File:
    file = name.replace("/", "-") + ".pt"
    return File(
        file,
        (
            f"https://openaipublic.azureedge.net/clip/models/{sha256}/{file}",
            f"https://openaipublic.blob.core.windows.net/clip/models/{sha256}/{file}",
            f"https://huggingface.co/pxlpshr/pytti-models/resolve/main/clip/{sha256}/{file}",
        ),
        sha256,
        size,
        "MIT (CLIP, OpenAI)",
    )


CLIPS: dict[str, File] = {
    name: _clip(name, sha256, size)
    for name, sha256, size in (
        (
            "ViT-B/32",
            "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
            353_976_522,
        ),
        (
            "ViT-B/16",
            "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
            350_837_078,
        ),
        (
            "ViT-L/14",
            "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
            932_768_134,
        ),
        ("RN50", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762", 255_827_503),
    )
}

VQGANS: dict[str, tuple[File, File]] = {  # name: weights, configuration
    "imagenet": (
        File(
            "vqgan_imagenet_f16_16384.ckpt",
            (
                f"{HEIBOX}/d/a7530b09fed84f80a887/files/?p=%2Fckpts%2Flast.ckpt&dl=1",
                f"{HEIBOX}/f/867b05fc8c4841768640/?dl=1",
                f"{FEED_FORWARD}/vqgan_imagenet_f16_16384.ckpt",
                f"{PYTTI_VQGAN}/imagenet/imagenet.ckpt",
            ),
            "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663",
            980_092_370,
            TAMING,
        ),
        File(
            "vqgan_imagenet_f16_16384.yaml",
            (
                f"{HEIBOX}/d/a7530b09fed84f80a887/files/?p=%2Fconfigs%2Fmodel.yaml&dl=1",
                f"{HEIBOX}/f/274fb24ed38341bfa753/?dl=1",
                f"{FEED_FORWARD}/vqgan_imagenet_f16_16384.yaml",
                f"{PYTTI_VQGAN}/imagenet/imagenet.yaml",
            ),
            "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7",
            692,
            TAMING,
        ),
    ),
    "imagenet_1024": (
        File(
            "vqgan_imagenet_f16_1024.ckpt",
            (f"{HEIBOX}/f/140747ba53464f49b476/?dl=1",),
            None,
            957_954_257,
            TAMING,
        ),
        File(
            "vqgan_imagenet_f16_1024.yaml",
            (f"{HEIBOX}/f/6ecf2af6c658432c8298/?dl=1",),
            None,
            692,
            TAMING,
        ),
    ),
    "wikiart": (
        File(
            "wikiart_16384.ckpt",
            (f"{PYTTI_VQGAN}/wikiart/wikiart.ckpt",),
            "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36",
            1_005_327_541,
            "not stated",
        ),
        File(
            "wikiart_16384.yaml",
            (f"{PYTTI_VQGAN}/wikiart/wikiart.yaml",),
            "6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a",
            920,
            "not stated",
        ),
    ),
    "coco": (
        File(
            "coco_first_stage.ckpt",
            (f"{PYTTI_VQGAN}/coco/coco.ckpt", "https://dl.nmkd.de/ai/clip/coco/coco.ckpt"),
            "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de",
            296_030_214,
            "not stated",
        ),
        File(
            "coco_first_stage.yaml",
            (f"{PYTTI_VQGAN}/coco/coco.yaml", "https://dl.nmkd.de/ai/clip/coco/coco.yaml"),
            "17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676",
            458,
            "not stated",
        ),
    ),
    "openimages": (
        File(
            "vqgan_gumbel_f8_8192.ckpt",
            (f"{HEIBOX}/f/34a747d5765840b5a99d/?dl=1", f"{PYTTI_VQGAN}/openimages/openimages.ckpt"),
            "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14",
            376_581_823,
            TAMING,
        ),
        File(
            "vqgan_gumbel_f8_8192.yaml",
            (f"{HEIBOX}/f/b24d14998a8d4f19a34f/?dl=1", f"{PYTTI_VQGAN}/openimages/openimages.yaml"),
            "91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff",
            745,
            TAMING,
        ),
    ),
}


def cache_folder() -> Path:
    """`VQCLIP_CACHE`, or the platform's cache folder; made if need be."""
    import platformdirs

    folder = Path(os.environ.get("VQCLIP_CACHE") or platformdirs.user_cache_dir("vqclip_nb"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise WeightsError(
            f"cannot make the cache folder {folder} ({e.strerror}): "
            "set VQCLIP_CACHE to a folder that can be written"
        ) from e
    return folder


def sha256_of(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@contextlib.contextmanager
def _disk_errors(folder: Path, need: int):
    """Turn a full disk or a missing permission into words; anything else passes."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(folder).free
            raise WeightsError(
                f"the disk of {folder} is full: {need / 1e6:,.0f} MB are needed, "
                f"{free / 1e6:,.0f} MB are "
                "free; make room or set VQCLIP_CACHE to another folder"
            ) from e
        if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WeightsError(
                f"no permission to write in {folder}: set VQCLIP_CACHE to another folder"
            ) from e
        raise


def _download(url: str, part: Path, size: int, *, tries: int = 5) -> int:
    """Fetch `url` into `part`, continuing what is there; returns where it began, in bytes.

    A connection that is cut is taken up again as long as bytes arrive, `tries` times at most.
    """
    import requests
    from tqdm.auto import tqdm

    began = have = part.stat().st_size if part.exists() else 0
    if have == size:  # all had arrived, the check was interrupted
        return began
    for attempt in range(tries):
        try:
            # Packed on the way, a file has not the announced length, nor places to continue from.
            headers = {"Accept-Encoding": "identity"}
            if have:
                headers["Range"] = f"bytes={have}-"
            with requests.get(url, headers=headers, stream=True, timeout=(10, 60)) as answer:
                if answer.status_code == 416:  # what we hold is not a beginning of this file
                    part.unlink()
                    began = have = 0
                    continue
                answer.raise_for_status()
                if answer.status_code != 206:
                    began = have = 0
                total = have + int(answer.headers.get("Content-Length") or size - have)
                with (
                    open(part, "ab" if have else "wb") as out,
                    tqdm(
                        total=total, initial=have, unit="B", unit_scale=True, desc=part.stem
                    ) as bar,
                ):
                    for chunk in answer.iter_content(1 << 16):  # a cut loses the last one
                        out.write(chunk)
                        have += len(chunk)
                        bar.update(len(chunk))
                        if have > total:
                            raise WeightsError(
                                f"{url} sends more than the {total:,} bytes it announced"
                            )
            if have >= total:
                return began
            raise requests.ConnectionError(f"connection closed after {have:,} of {total:,} bytes")
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ):
            have = part.stat().st_size if part.exists() else 0
            if attempt == tries - 1 or have == 0:
                raise
            time.sleep(min(0.2 * 2**attempt, 5))
    return began


def fetch(file: File, *, accept_unknown: bool = False) -> Path:
    """Path of `file` in the cache, downloaded if need be and checked against its SHA-256 before
    anyone reads it.

    Mirrors are tried in turn. WeightsError lists what went wrong with each, and how to do it by
    hand.
    """
    import requests
    from filelock import FileLock

    if file.sha256 is None and not accept_unknown:
        raise WeightsError(
            f"no SHA-256 is published for {file.name}, so it cannot be told from a tampered file. "
            "If you trust its source, say so: load_pair(..., accept_unknown=True)"
        )
    folder = cache_folder()
    target, part = folder / file.name, folder / (file.name + ".part")
    with _disk_errors(folder, file.bytes), FileLock(folder / (file.name + ".lock")):
        if target.exists():
            if file.sha256 in (None, sha256_of(target)):
                return target
            log.warning("%s is corrupt: removed, fetched again", target)
            target.unlink()
        problems = []
        for url in file.urls:
            for _ in range(2):
                try:
                    began = _download(url, part, file.bytes)
                except (requests.RequestException, WeightsError) as e:
                    problems.append(f"{url}: {type(e).__name__}: {e}")
                    break
                found = sha256_of(part)
                if file.sha256 in (None, found):
                    log.info("%s: SHA-256 %s", file.name, found)
                    part.rename(target)
                    return target
                part.unlink()
                problems.append(f"{url}: wrong contents, SHA-256 {found}")
                if began == 0:  # else the beginning came from elsewhere: once more, from scratch
                    break
    raise WeightsError(
        "\n  ".join(
            [
                f"could not fetch {file.name} ({file.bytes / 1e6:,.0f} MB):",
                *problems,
                f"Try again later (what arrived is kept), or put the file there by hand: {target}",
            ]
        )
    )


def read_config(path: str | Path) -> dict:
    """A VQGAN's OmegaConf yaml to a plain dict with ddconfig, embed_dim and n_embed."""
    from omegaconf import OmegaConf

    try:
        config = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
        while (
            "ddconfig" not in config
        ):  # published files nest it as model.params, Gumbel ones as ours
            config = config["model" if "model" in config else "params"]
        return {
            "ddconfig": config["ddconfig"],
            "embed_dim": config["embed_dim"],
            "n_embed": config["n_embed"],
        }
    except Exception as e:
        raise WeightsError(
            f"{path} is no VQGAN configuration: it needs ddconfig, embed_dim and n_embed ({e})"
        ) from e


@contextlib.contextmanager
def _allow_lightning() -> Iterator[None]:
    """Let one load pass the class that Lightning's checkpoints name, as an empty stand-in."""
    stand_in = type(
        "ModelCheckpoint", (), {"__module__": "pytorch_lightning.callbacks.model_checkpoint"}
    )
    before = list(torch.serialization.get_safe_globals())  # 2.4 gives its own list
    torch.serialization.add_safe_globals([stand_in])
    try:
        yield
    finally:  # as `safe_globals`, which torch 2.4 lacks
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def read_state(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors by name, and metadata, out of safetensors, a TorchScript archive, or a (Lightning)
    checkpoint.

    Nothing but tensors and plain containers is unpickled. WeightsError if the file is none of
    these, is cut off, or names other classes.
    """
    from safetensors import safe_open

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as f:
                return {k: f.get_tensor(k) for k in f.keys()}, f.metadata() or {}  # noqa: SIM118
        packed = zipfile.is_zipfile(path)
        if packed and any(n.endswith("constants.pkl") for n in zipfile.ZipFile(path).namelist()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecated; nothing else opens OpenAI's archives
                return dict(torch.jit.load(path, map_location="cpu").state_dict()), {}
        with _allow_lightning():
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=packed)
    except MemoryError:
        raise
    except Exception as e:
        if named := re.search(r"GLOBAL (\S+)", str(e)):
            raise WeightsError(
                f"{path} holds more than tensors and was not read: it names {named[1]}"
            ) from e
        # Torch's own words on a bad pickle advise to read it unchecked: not passed on.
        words = "" if isinstance(e, pickle.UnpicklingError) else str(e).partition("\n")[0]
        raise WeightsError(
            f"{path} is damaged or no weight file: {words or type(e).__name__}"
        ) from e
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not any(isinstance(v, torch.Tensor) for v in found.values()):
        raise WeightsError(f"{path} holds no state dict")
    return {k: v for k, v in found.items() if isinstance(v, torch.Tensor)}, {}


def write_state(path: Path, state: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """Write safetensors by way of a temporary name; leave the SHA-256 beside it, return it."""
    from safetensors.torch import save_file

    part = path.with_suffix(".part")
    size = sum(v.numel() * v.element_size() for v in state.values())
    try:
        with _disk_errors(path.parent, size):
            try:
                save_file(
                    {k: v.detach().cpu().contiguous().clone() for k, v in state.items()},
                    part,
                    metadata,
                )
            except Exception as e:  # safetensors wraps OSErrors in a class of its own
                if "No space left" in str(e):
                    raise OSError(errno.ENOSPC, str(e)) from e
                raise
            digest = sha256_of(part)
            path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n")
            part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return digest


def read_checked(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str], str]:
    """Tensors, metadata, SHA-256 of a file that `write_state` wrote; a corrupt one is refused."""
    digest = sha256_of(path)
    if path.with_suffix(".sha256").read_text().split()[:1] != [digest]:
        raise WeightsError(f"{path} is corrupt: its SHA-256 is {digest}")
    return *read_state(path), digest


def slim_cache(
    name: str,
    keep: Callable[[str], bool],
    file: File,
    config: File | None = None,
    *,
    accept_unknown: bool = False,
) -> tuple[dict[str, torch.Tensor], dict[str, str], str]:
    """Tensors, metadata and SHA-256 of a published network, from the slim cache.

    The first call fetches the published file, keeps the tensors that `keep` names as safetensors
    with the configuration inside, and removes the original; a corrupt cache file is removed and
    made anew.
    """
    from filelock import FileLock

    path = cache_folder() / f"{name.replace('/', '-')}.safetensors"
    if found := _sound(path):
        return found
    with _disk_errors(path.parent, file.bytes), FileLock(path.with_suffix(".lock")):
        if found := _sound(path):  # made by another process while this one waited
            return found
        path.unlink(missing_ok=True)
        original = fetch(file, accept_unknown=accept_unknown)
        metadata = {
            "source": file.name,
            "source_sha256": sha256_of(original),
            "licence": file.licence,
        }
        if config:
            shape = read_config(fetch(config, accept_unknown=accept_unknown))
            metadata["config"] = json.dumps(shape)
        state = {k: v for k, v in read_state(original)[0].items() if keep(k)}
        write_state(path, state, metadata)
        del state
        original.unlink()
    return read_checked(path)


def _sound(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str], str] | None:
    """What `read_checked` reads, or None if the file is not there or corrupt."""
    try:
        return read_checked(path) if path.exists() else None
    except (WeightsError, OSError) as e:
        log.warning("%s: made anew", e)
        return None
