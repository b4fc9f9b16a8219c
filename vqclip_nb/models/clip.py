"""CLIP: what judges how well a picture fits a text (report, 3.2), alone or several at once."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from ..weights import WeightsError
from . import fast

if TYPE_CHECKING:
    from ..emoji.vocabulary import Vocabulary

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TOKENS = 49408  # size of OpenAI's vocabulary
MAX_WIDTH = 4096  # numbers for a token; OpenAI's largest has 1,024
FACTS = ("input_resolution", "context_length", "vocab_size")  # that archives store as tensors


@cache
def clip_module(name: str) -> ModuleType:
    """`clip.model` or `clip.simple_tokenizer`, without torchvision and pkg_resources, which
    `import clip` brings and painting does not need."""
    spec = importlib.util.find_spec("clip")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("openai-clip is not installed: pip install openai-clip")
    path = Path(spec.submodule_search_locations[0]) / f"{name}.py"
    own = importlib.util.spec_from_file_location(f"{__name__}.openai_{name}", path)
    assert own and own.loader
    module = importlib.util.module_from_spec(own)
    sys.modules[own.name] = module  # where pickle looks for its classes
    own.loader.exec_module(module)
    return module


@cache
def tokenizer() -> Any:
    """OpenAI's tokenizer, read once."""
    return clip_module("simple_tokenizer").SimpleTokenizer()


def tokenize(texts: Sequence[str], context_length: int = 77) -> torch.Tensor:
    """Texts to OpenAI's tokens (n, context_length), int32: begin, the text's, end, zeros. What does
    not fit is cut."""
    begin, end = TOKENS - 2, TOKENS - 1
    tokens = torch.zeros(len(texts), context_length, dtype=torch.int)
    for row, text in zip(tokens, texts, strict=True):
        pieces = [begin, *tokenizer().encode(text)[: context_length - 2], end]
        row[: len(pieces)] = torch.tensor(pieces)
    return tokens


def is_weight(name: str) -> bool:
    """Whether a tensor of a CLIP's archive is one of its weights: no fact of it, and no mask."""
    return name not in FACTS and not name.endswith("attn_mask")


def clip_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A stored CLIP's weights as its class names them.

    `token_embedding.rows`, where present, says which rows of the vocabulary
    `token_embedding.weight` holds.
    """
    state = {k: v for k, v in state.items() if is_weight(k)}
    rows = state.pop("token_embedding.rows", None)
    if rows is not None:
        width = state["token_embedding.weight"].shape[1]
        if width > MAX_WIDTH:
            raise ValueError(f"a text width of {width:,}, more than {MAX_WIDTH:,}")
        full = torch.zeros(TOKENS, width)
        full[rows.long()] = state["token_embedding.weight"].float()
        state["token_embedding.weight"] = full
    return state


def build_clip(state: dict[str, torch.Tensor], activation: str = "quick gelu") -> nn.Module:
    """A frozen float32 CLIP of OpenAI's class from what `clip_state` takes; its shape is read off
    the tensors. activation: "quick gelu", OpenAI's own, or "gelu", the exact one that LAION's and
    FARE's weights were trained with. WeightsError if they are no CLIP's."""
    try:
        state = {
            k: v.to(torch.float32 if v.is_floating_point() else v.dtype, copy=True)
            for k, v in clip_state(state).items()
        }
        with fast.OnlyShapes(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of weights that go nowhere yet
            model = clip_module("model").build_model(dict(state))
        model.load_state_dict(state, assign=True)
        mask = model.build_attention_mask()  # no weight, so it has no values yet
        for block in model.transformer.resblocks:
            block.attn_mask = mask
        if activation == "gelu":
            for part in model.modules():
                if hasattr(part, "gelu"):
                    part.gelu = nn.GELU()
        return fast.for_inference(model)
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, ValueError) as e:
        words = str(e).partition("\n")[0] or type(e).__name__
        raise WeightsError(f"these are no CLIP weights: {words[:300]}") from e


def warn_of_cut(words: Sequence[str], tokens: int) -> None:
    """Tell which words of a text lie beyond the tokens that a CLIP reads."""
    if words:
        warnings.warn(
            f"the prompt is too long: CLIP reads {tokens} tokens, "
            f"so these words are not seen: {' '.join(words)!r}",
            stacklevel=3,
        )


@dataclass(eq=False, kw_only=True)
class ClipModel:
    """A frozen CLIP.

    hashes: SHA-256 of the weights by part. mean, std: of the pixels that it learned from, RGB.
    vocabulary: the words it learned and what stands in for others, or None if that is no closed
    list. dropout: share of a ResNet's channels that `encode_crops` leaves out.
    """

    name: str
    model: fast.Module
    device: torch.device
    hashes: dict[str, str] = field(default_factory=dict)
    mean: Sequence[float] = CLIP_MEAN
    std: Sequence[float] = CLIP_STD
    vocabulary: Vocabulary | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.model.to(self.device).eval()
        if self.device.type == "cpu":  # a third less time for a ResNet's convolutions
            self.model.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(self.mean, device=self.device)[:, None, None]
        self._std = torch.tensor(self.std, device=self.device)[:, None, None]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.device})"

    @property
    def resolution(self) -> int:
        """Side in pixels of the pictures that CLIP takes."""
        return self.model.visual.input_resolution

    @property
    def context_length(self) -> int:
        """Tokens that the text side reads at most, two of them for beginning and end."""
        return self.model.context_length

    def _normalised(self, pictures: torch.Tensor) -> torch.Tensor:
        side = self.resolution
        if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, side, side):
            raise ValueError(
                f"crops of shape {tuple(pictures.shape)}: {self.name} takes (n, 3, {side}, {side})"
            )
        return (pictures - self._mean) / self._std

    def encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) in [0, 1] to encodings (n, d)."""
        return fast.encode_image(self.model.visual, self._normalised(pictures))

    def encode_crops(
        self,
        crops: torch.Tensor,
        generator: torch.Generator,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> torch.Tensor:
        """As `encode_image`, for painting: with other channels left out for each crop, as
        `generator` draws, so that a picture must please many networks and not the flaws of one.

        dtype: what the network computes in; crops and encodings are float32.
        """
        visual, views = fast.in_precision(self.model.visual, dtype), self._normalised(crops)
        how: dict[str, Any] = dict(dropout=self.dropout, generator=generator)
        return fast.encode_image(visual, views.to(dtype), **how).float()

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> torch.Tensor:
        """Texts to encodings (n, d). What does not fit CLIP's context is cut; a warning names those
        words."""
        context, encode = self.context_length, tokenizer().encode
        for text in texts:
            words = text.split()
            kept = len(words)
            while kept and len(encode(" ".join(words[:kept]))) > context - 2:
                kept -= 1
            warn_of_cut(words[kept:], context - 2)
        return self.model.encode_text(tokenize(texts, context).to(self.device))


class ClipEnsemble:
    """Several CLIPs that guide together; it is used as a `ClipModel` is.

    An encoding is the unit vectors of all of them side by side, each times the root of its share of
    the weights, so that the cosine of two encodings is the weighted mean of the single cosines.
    Crops are cut at the largest resolution and shrunk for the others.
    """

    vocabulary: Vocabulary | None
    dropout = 0.0

    def __init__(self, members: Sequence[ClipModel], weights: Sequence[float] | None = None):
        weights = [1.0] * len(members) if weights is None else list(weights)
        if not members or len(weights) != len(members) or min(weights) <= 0:
            raise ValueError(
                f"weights {weights} of {len(members)} CLIPs: give one above 0 for each"
            )
        if len({m.device for m in members}) > 1:
            raise ValueError(f"{', '.join(map(repr, members))} must be on one device")
        self.members = tuple(members)
        self.weights = tuple(w / sum(weights) for w in weights)
        shares = zip(self.members, self.weights, strict=True)
        self.name = " + ".join(f"{w:.2g} {m.name}" for m, w in shares)
        self.device = members[0].device
        self.hashes = {f"{k} {i}": h for i, m in enumerate(members) for k, h in m.hashes.items()}
        closed = [m.vocabulary for m in members if m.vocabulary is not None]
        self.vocabulary = min(closed, key=lambda v: len(v.words), default=None)

    def __repr__(self) -> str:
        return f"ClipEnsemble({self.name!r}, {self.device})"

    @property
    def resolution(self) -> int:
        return max(m.resolution for m in self.members)

    @property
    def context_length(self) -> int:
        return min(m.context_length for m in self.members)

    def _joined(self, encodings: list[torch.Tensor]) -> torch.Tensor:
        parts = zip(encodings, self.weights, strict=True)
        return torch.cat([F.normalize(e, dim=-1) * w**0.5 for e, w in parts], -1)

    def _at(self, member: ClipModel, pictures: torch.Tensor) -> torch.Tensor:
        side = member.resolution
        if pictures.shape[-1] == side:
            return pictures
        return F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)

    def encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) in [0, 1] to encodings (n, d), d the sum of all."""
        return self._joined([m.encode_image(self._at(m, pictures)) for m in self.members])

    def encode_crops(
        self,
        crops: torch.Tensor,
        generator: torch.Generator,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> torch.Tensor:
        """As `ClipModel.encode_crops`, by all."""
        seen = (m.encode_crops(self._at(m, crops), generator, dtype=dtype) for m in self.members)
        return self._joined(list(seen))

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        """Texts to encodings (n, d)."""
        return self._joined([m.encode_text(texts) for m in self.members])


Clip = ClipModel | ClipEnsemble  # what guides pictures, or judges them
