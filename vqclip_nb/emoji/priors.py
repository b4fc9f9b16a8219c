"""The priors of a file: one for each style, and one of what CLIP cannot read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from .prior import Prior, build_prior

NAMED = "named"  # the prior of what CLIP cannot read


class Priors(Mapping[str, Prior]):
    """The priors of a file by style, and by `NAMED` that of what CLIP cannot read; each is built
    when it is first asked for. The seed chooses by their order. names: of the drawings that
    `NAMED` can be told. weak: by style, labels of drawings that it forms poorly, or that are hard
    to name, where another style does better."""

    def __init__(
        self, state: Mapping[str, torch.Tensor], facts: Mapping[str, Any], digest: str, device: Any
    ) -> None:
        self.names = tuple(facts.get("names", ()))
        self.weak = {style: frozenset(labels) for style, labels in facts.get("weak", {}).items()}
        self._config, self._digest, self._device = facts["config"], digest, device
        self._styles = [*facts.get("styles", ["noto"]), *([NAMED] if self.names else [])]
        self._weights: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in state.items():  # "3d.entry.weight" is of the style 3d alone
            style, _, name = key.partition(".")
            self._weights.setdefault(style, {})[name] = value
        self._built: dict[str, Prior] = {}
        if not set(self._styles) <= set(self._weights):  # one network that is told the style
            prior = build_prior(facts["config"], dict(state), digest).to(device)
            prior.styles = tuple(self._styles) if len(self._styles) > 1 else ()
            self._built = dict.fromkeys(self._styles, prior)

    def __iter__(self) -> Iterator[str]:
        return iter(self._styles)

    def __len__(self) -> int:
        return len(self._styles)

    def __contains__(self, style: object) -> bool:
        return style in self._styles

    def __getitem__(self, style: str) -> Prior:
        if style not in self._built:
            told = self.names if style == NAMED else ()
            config, weights = self._config | {"labels": len(told)}, self._weights[style]
            prior = build_prior(config, weights, self._digest).to(self._device)
            prior.names = told
            self._built[style] = prior
        return self._built[style]
