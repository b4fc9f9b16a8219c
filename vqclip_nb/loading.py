"""Where pairs and judges come from: the package, a download, files of one's own."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .models.clip import CLIP_MEAN, CLIP_STD, Clip, ClipEnsemble, ClipModel, build_clip, is_weight
from .models.pair import EMOJI, EMOJI_DEFAULTS, PUBLISHED_DEFAULTS, Pair
from .models.vqgan import VQGAN
from .weights import (
    CLIPS,
    VQGANS,
    WeightsError,
    arrived,
    parse_config,
    parse_facts,
    read_checked,
    read_config,
    read_state,
    sha256_of,
    slim_cache,
    slim_path,
)
from .weights.cache import Checked

if TYPE_CHECKING:
    from .emoji.vocabulary import Vocabulary

VQGAN_PARTS = (  # what painting needs of a checkpoint; the rest is losses and running averages
    "encoder.",
    "decoder.",
    "quant_conv.",
    "post_quant_conv.",
    "quantize.embed",
    "quantize.proj",
)
USUAL_CLIP = "ViT-B/32"  # of the published pairs


def available_pairs() -> list[str]:
    """Names that `load_pair` takes: "emoji" ships here, the others are downloaded once."""
    return ["emoji", *VQGANS]


def best_device() -> torch.device:
    """CUDA if there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def chosen_device(device: str | torch.device | None) -> torch.device:
    """The device of that name, or the best there is; ValueError if it is not there."""
    if not device:
        return best_device()
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    # An unknown name, a torch without CUDA, a backend without kernels: torch says each in its own.
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        raise ValueError(f"device {str(device)!r} is not here: the best is {best_device()}") from e


def pair_for(device: torch.device) -> str:
    """What `load_pair("auto")` loads first: the real pair wants a GPU."""
    return "imagenet" if device.type == "cuda" else "emoji"


def load_pair(
    name: str = "emoji",
    *,
    clip: str | Sequence[str] | Mapping[str, float] | None = None,
    device: str | torch.device | None = None,
) -> Pair:
    """One of `available_pairs()` on `device` (None: CUDA, else MPS, else CPU).

    "auto" is "imagenet" on CUDA, and "emoji" elsewhere or, with a warning that says why, where
    "imagenet" cannot be had. `clip` names one of OpenAI's for the downloaded pairs (None:
    "ViT-B/32"), or several that guide together: ["ViT-B/32", "ViT-B/16"], or with weights
    {"ViT-B/32": 1, "ViT-L/14": .5}. ValueError for an unknown name, or a `clip` for "emoji", which
    has its own; WeightsError if a file cannot be fetched or is corrupt.
    """
    if name == "auto":
        device = chosen_device(device)
        try:
            if (best := pair_for(device)) != "emoji":
                return load_pair(best, clip=clip, device=device)
        except WeightsError as e:
            warnings.warn(f"{e}\nThe emoji pair paints in its place.", stacklevel=2)
        return load_pair("emoji", device=device)
    if name not in available_pairs():
        raise ValueError(
            f"pair {name!r} is not known: choose one of {', '.join(available_pairs())}"
        )
    if name == "emoji" and clip is not None:
        raise ValueError(
            f"clip={clip!r}: the emoji pair has a CLIP of its own; choose one for "
            f"{', '.join(VQGANS)}"
        )
    clip = USUAL_CLIP if clip is None else clip
    weights = {clip: 1.0} if isinstance(clip, str) else dict.fromkeys(clip, 1.0)
    weights |= clip if isinstance(clip, Mapping) else {}
    for one in weights:
        if one not in CLIPS:
            raise ValueError(f"clip {one!r} is not known: choose one of {', '.join(CLIPS)}")
    device = chosen_device(device)
    if name == "emoji":
        guide, clip_meta = _emoji_clip("clip", device)
        paints, meta, digest = read_checked(EMOJI / "vqgan.safetensors")
        return _pair(name, guide, json.loads(meta["config"]), paints, digest, clip_meta, meta)
    guides = [_published_clip(one, device) for one in weights]
    together = guides[0] if len(guides) == 1 else ClipEnsemble(guides, list(weights.values()))
    paints, meta, _ = _published_vqgan(name)
    # The published file's hash: safetensors orders metadata by chance, so caches differ.
    digest = meta["source_sha256"]
    return _pair(name, together, json.loads(meta["config"]), paints, digest, meta)


# -- a pair that is downloaded while another one paints


def is_here(name: str) -> bool:
    """Whether `load_pair(name)` has nothing to download."""
    return name not in VQGANS or all(slim_path(one).exists() for one in (USUAL_CLIP, name))


def pair_at_once(name: str) -> tuple[Pair, str]:
    """The pair of that name, and an empty text; or, where it would have to be downloaded, the emoji
    pair and the name of that which `download_pair` fetches. "auto": as in `load_pair`."""
    wanted = pair_for(best_device()) if name == "auto" else name
    return (load_pair(wanted), "") if is_here(wanted) else (load_pair("emoji"), wanted)


def download_pair(name: str) -> None:
    """Bring what `load_pair(name)` needs into the cache; WeightsError as there."""
    _clip_weights(USUAL_CLIP)
    _published_vqgan(name)


def download_progress(name: str) -> tuple[int, int]:
    """Bytes of a published pair that are here, and that there are."""
    files = {USUAL_CLIP: CLIPS[USUAL_CLIP], name: VQGANS[name][0]}
    here = sum(arrived(one, file) for one, file in files.items())
    return here, sum(file.bytes or 0 for file in files.values())


def load_judge(name: str = "emoji", *, device: str | torch.device | None = None) -> ClipModel:
    """A CLIP that never guides, to score finished pictures: "emoji" ships here, or one of OpenAI's.

    Let it differ from the pair's own. Errors as in `load_pair`.
    """
    if name not in ("emoji", *CLIPS):
        raise ValueError(
            f"judge {name!r} is not known: choose one of {', '.join(('emoji', *CLIPS))}"
        )
    device = chosen_device(device)
    return _emoji_clip("judge", device)[0] if name == "emoji" else _published_clip(name, device)


def open_pair(
    *,
    clip: str | Path,
    vqgan: str | Path,
    config: str | Path | None = None,
    activation: str | None = None,
    open_clip: str | None = None,
    device: str | torch.device | None = None,
) -> Pair:
    """A pair from files of your own.

    clip: OpenAI's TorchScript archive, a state dict, or safetensors. vqgan: a Lightning checkpoint
    with its OmegaConf yaml as `config`, or our slim safetensors, which holds its configuration.
    activation: of the CLIP, "quick gelu" (OpenAI's) or "gelu" (LAION's, FARE's), where its file
    does not say it. open_clip: which of open_clip's SigLIP models the CLIP is, as
    "ViT-B-16-SigLIP2"; None: of OpenAI's classes. Raises WeightsError.
    """
    seen, clip_meta = read_state(clip)
    paints, meta = read_state(vqgan)
    if config is None and "config" not in meta:
        raise WeightsError(
            f"{vqgan} holds no configuration: give config=PATH, the yaml that came with it"
        )
    shape = read_config(config) if config else parse_config(meta["config"], str(vqgan))
    keep = {k: v for k, v in paints.items() if k.startswith(VQGAN_PARTS)}
    stored = parse_facts(clip_meta)
    unsaid = activation is None and "activation" not in stored
    if unsaid and "visual.class_embedding" in seen and all(map(is_weight, seen)):
        warnings.warn(
            f"{clip} does not say its activation: read as OpenAI's; for LAION's and FARE's "
            "weights give activation='gelu'",
            stacklevel=2,
        )
    told = {"activation": activation, "open_clip": open_clip}
    if told := {k: v for k, v in told.items() if v is not None}:
        clip_meta = clip_meta | {"facts": json.dumps(stored | told)}
    digest = sha256_of(Path(clip))
    guide = _clip_model(Path(clip).stem, seen, clip_meta, chosen_device(device), digest)
    digest = sha256_of(Path(vqgan))
    return _pair(Path(vqgan).stem, guide, shape, keep, digest, clip_meta, meta)


def _emoji_clip(file: str, device: torch.device) -> tuple[ClipModel, dict[str, str]]:
    """The guide ("clip") or the judge, which learned the same words; and the guide's metadata."""
    stored, meta, digest = read_checked(EMOJI / f"{file}.safetensors")
    state = {  # the judge's matrices are whole numbers, with the size of a step for each row
        key: value.float() * stored[f"{key}.step"] if f"{key}.step" in stored else value
        for key, value in stored.items()
        if not key.endswith(".step")
    }
    model = _clip_model("emoji", state, meta, device, digest)
    if file != "clip":
        _, meta, _ = read_checked(EMOJI / "clip.safetensors")
        model.vocabulary = _vocabulary(parse_facts(meta)["words"])
    return model, meta


def _clip_weights(name: str) -> Checked:
    return slim_cache(name, is_weight, CLIPS[name])


def _published_clip(name: str, device: torch.device) -> ClipModel:
    state, meta, _ = _clip_weights(name)
    return _clip_model(name, state, meta, device, meta["source_sha256"])


def _published_vqgan(name: str) -> Checked:
    return slim_cache(name, lambda k: k.startswith(VQGAN_PARTS), *VQGANS[name])


def _clip_model(
    name: str,
    state: dict[str, torch.Tensor],
    metadata: dict[str, str],
    device: torch.device,
    digest: str,
) -> ClipModel:
    """A CLIP as its file's facts want it; without them, as OpenAI's."""
    stored = parse_facts(metadata)
    facts: dict[str, Any] = dict(name=name, device=device, hashes={"clip": digest})
    if "open_clip" in stored:
        from .models.open_clip import build_siglip

        return build_siglip(stored["open_clip"], state, **facts)
    return ClipModel(
        **facts,
        model=build_clip(state, stored.get("activation", "quick gelu")),
        mean=stored.get("mean", CLIP_MEAN),
        std=stored.get("std", CLIP_STD),
        vocabulary=_vocabulary(stored.get("words")),
        dropout=float(stored.get("dropout", 0)),
    )


# The emoji wing is imported where a CLIP knows its words; without it, such a CLIP takes any words.
HAS_EMOJI = (EMOJI / "wing.py").exists()


def _vocabulary(words: list[str] | None) -> Vocabulary | None:
    if not HAS_EMOJI or words is None:
        return None
    from .emoji.vocabulary import Vocabulary

    return Vocabulary.read(frozenset(words), EMOJI / "words.txt")


def _pair(
    name: str,
    clip: Clip,
    config: dict[str, Any],
    state: dict[str, torch.Tensor],
    digest: str,
    *metadata: dict[str, str],
) -> Pair:
    """A pair of a CLIP and a VQGAN of these weights, as what their files say of it wants it."""
    stored = parse_facts(*metadata)
    try:
        vqgan = VQGAN.from_state(config, state)
    except (KeyError, RuntimeError, TypeError, ValueError) as e:
        raise WeightsError(
            f"these weights do not fit the VQGAN configuration: {str(e)[:300]}"
        ) from e
    wing = None
    if HAS_EMOJI and clip.vocabulary is not None:
        from .emoji.wing import EmojiWing

        wing = EmojiWing
    of_clips = {"activation", "open_clip", "mean", "std"}  # which published files know at most
    measured = EMOJI_DEFAULTS if stored.keys() - of_clips else PUBLISHED_DEFAULTS
    return Pair(
        name=name,
        clip=clip,
        vqgan=vqgan,
        size=int(stored.get("size", 448)),
        default_background=stored.get("ground", ""),
        own_defaults=stored.get("defaults", measured),
        vqgan_hash=digest,
        make_wing=wing,
    )
