"""A classifier without a text side, EfficientNet-Lite0's trunk, and the two judges made of it.

Liu, Tan et al. 2020, after Tan and Le 2019: inverted bottlenecks with ReLU6 and no squeeze and
excitation, here without the last block and the wide head.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from vqclip_nb.loading import chosen_device
from vqclip_nb.weights import read_checked

JUDGES = Path(__file__).with_name("judges")  # their weights

# expansion, kernel, stride of the first block, channels, blocks
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
)
SIZE = 96  # side in pixels of the pictures that it was trained on
STYLE_STAGES = 5  # of the judge of styles: textures, not things
FROZEN_BLOCKS = 3  # edges and textures stay as ImageNet taught them


class Convolution(nn.Sequential):
    """Convolution, batch norm and, if `active`, ReLU6; padded as TensorFlow's "same"."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1,
        *, active: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
            nn.ReLU6() if active else nn.Identity(),
        )
        pad = kernel - stride
        self.padding = (pad // 2, pad - pad // 2) * 2 if pad > 0 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, self.padding) if self.padding else x
        if self[0].groups == 1:
            return super().forward(x)
        # A CPU's gradients of channel-wise convolutions take five times as long in bfloat16.
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class Bottleneck(nn.Module):
    """Widen, filter each channel, narrow; added to the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers = [Convolution(inputs, wide)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *layers,
            Convolution(wide, wide, kernel, stride, wide),
            Convolution(wide, outputs, active=False),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


class Classifier(nn.Module):
    """Pictures (n, 3, h, w) in [0, 1], best SIZE × SIZE, to logits (n, classes).

    stages: how many of `STAGES`; the first ones see edges and textures, the last whole things.
    """

    def __init__(self, classes: int, stages: int = len(STAGES)) -> None:
        super().__init__()
        blocks, width = [], 32
        for expansion, kernel, stride, channels, count in STAGES[:stages]:
            for i in range(count):
                blocks.append(Bottleneck(width, channels, expansion, kernel, 1 if i else stride))
                width = channels
        self.stem = Convolution(3, 32, 3, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x * 2 - 1)).mean((2, 3)))

    def start_from_imagenet(self, state: dict[str, torch.Tensor]) -> None:
        """Take over the published weights of EfficientNet-Lite0 for all layers but the head.

        Both list the same layers in the same order. ValueError if a shape differs.
        """
        own = {k: v for k, v in self.state_dict().items() if not k.startswith("head.")}
        theirs = [v for k, v in state.items() if not k.endswith("num_batches_tracked")]
        mine = [k for k in own if not k.endswith("num_batches_tracked")]
        for key, value in zip(mine, theirs, strict=False):
            if own[key].shape != value.shape:
                raise ValueError(f"no EfficientNet-Lite0: {key} is {tuple(value.shape)} there")
            own[key] = value
        self.load_state_dict(own, strict=False)
        for part in (self.stem, *self.blocks[:FROZEN_BLOCKS]):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Classifier:
        """As usual, but what is frozen keeps its batch statistics too."""
        super().train(mode)
        for part in (self.stem, *self.blocks):
            if not any(p.requires_grad for p in part.parameters()):
                part.eval()
        return self


@dataclass(eq=False, kw_only=True)
class PictureJudge:
    """A classifier of finished pictures. It never guides.

    names: what its classes are called. hashes: SHA-256 of the weights.
    """

    classifier: Classifier
    names: Sequence[str]
    device: torch.device
    name: str
    hashes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classifier.to(self.device).eval().requires_grad_(False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.device})"

    @torch.no_grad()
    def probabilities(self, image: Image.Image) -> torch.Tensor:
        """(classes,), the mean over the picture, its mirror image, and both a little larger."""
        x = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        large = F.interpolate(x, (SIZE + 12, SIZE + 12), mode="bilinear", antialias=True)
        whole = F.interpolate(x, (SIZE, SIZE), mode="bilinear", antialias=True)
        views = torch.cat([whole, large[:, :, 6:-6, 6:-6]])
        views = torch.cat([views, views.flip(3)]).to(self.device)
        return self.classifier(views).softmax(-1).mean(0).cpu()


class StyleJudge(PictureJudge):
    """Says in which style of the library a finished picture is drawn, by texture and line."""

    def style(self, image: Image.Image, among: Sequence[str] = ()) -> str:
        """The likeliest of `among`, or of all its `names`; KeyError for one that it never saw."""
        p = dict(zip(self.names, self.probabilities(image).tolist(), strict=True))
        return max(among or p, key=p.__getitem__)


class ShapeJudge(PictureJudge):
    """Says what a finished picture shows: probabilities of `names`, and of being none of them but
    a painting of the loop, the classifier's last class."""

    def rank(self, image: Image.Image, thing: str) -> int:
        """Place of `thing`, with or without article, among all names; 1 is first.

        ValueError for a thing that is not among them.
        """
        place, p = self._place(thing), self.probabilities(image)[:-1]
        return 1 + int((p > p[place]).sum())

    def probability(self, image: Image.Image, thing: str) -> float:
        """Of `thing`, in [0, 1]; ValueError as in `rank`."""
        return float(self.probabilities(image)[self._place(thing)])

    def painting_share(self, image: Image.Image) -> float:
        """Probability, in [0, 1], that it is a painting that shows nothing."""
        return float(self.probabilities(image)[-1])

    def top(self, image: Image.Image, count: int = 5) -> list[tuple[str, float]]:
        """The likeliest names and their probabilities, painting left out."""
        p, index = self.probabilities(image)[:-1].topk(count)
        return [(self.names[i], v) for i, v in zip(index.tolist(), p.tolist(), strict=True)]

    def _place(self, thing: str) -> int:
        words = thing.strip().split(" ", 1)
        bare = words[1] if len(words) == 2 and words[0].lower() in ("a", "an", "the") else thing
        for candidate in (thing.strip(), bare):
            if candidate in self.names:
                return list(self.names).index(candidate)
        near = difflib.get_close_matches(bare, self.names, 3, 0.6)
        raise ValueError(
            f"{thing!r} is not among the names of {self.name}"
            + (f": did you mean {', '.join(near)}?" if near else "")
        )


def load_shape_judge(*, device: str | torch.device | None = None) -> ShapeJudge:
    """The judge of shapes that this project trained. WeightsError if its file is corrupt."""
    state, meta, digest = read_checked(JUDGES / "shapes.safetensors")
    return build_shape_judge(state, json.loads(meta["names"]), chosen_device(device), digest)


def load_style_judge(*, device: str | torch.device | None = None) -> StyleJudge:
    """The judge of styles that this project trained. WeightsError if its file is corrupt."""
    state, meta, digest = read_checked(JUDGES / "styles.safetensors")
    return build_style_judge(state, json.loads(meta["names"]), chosen_device(device), digest)


def build_shape_judge(
    state: dict[str, torch.Tensor], names: Sequence[str], device: torch.device, sha256: str = ""
) -> ShapeJudge:
    """A judge from its weights; RuntimeError where they do not fit."""
    classifier = _loaded(Classifier(len(names) + 1), state)
    hashes = {"classifier": sha256}
    return ShapeJudge(
        classifier=classifier, names=names, device=device, name="shapes", hashes=hashes
    )


def build_style_judge(
    state: dict[str, torch.Tensor], names: Sequence[str], device: torch.device, sha256: str = ""
) -> StyleJudge:
    """A judge from its weights; RuntimeError where they do not fit."""
    classifier = _loaded(Classifier(len(names), STYLE_STAGES), state)
    hashes = {"classifier": sha256}
    return StyleJudge(
        classifier=classifier, names=names, device=device, name="styles", hashes=hashes
    )


def _loaded(classifier: Classifier, state: dict[str, torch.Tensor]) -> Classifier:
    own = classifier.state_dict()
    counters = {k: v for k, v in own.items() if k.endswith("num_batches_tracked")}
    classifier.load_state_dict({**counters, **{k: v.float() for k, v in state.items()}})
    return classifier
