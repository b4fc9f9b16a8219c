"""Every setting once: its type and default here; its range, unit, label and one line of help, and
the presets, in settings.toml. Sliders, the command line, docs/controls.md and errors are made from
them."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from .attributes import parse_attributes
from .knobs import Knob, checked, shown
from .palettes import parse_colour
from .regions import parse_region

FACTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf8"))
OF_PAIR: Any = None  # left to the pair
JUDGED = 3  # last steps of a try whose mean similarity counts; evens out their random crops


@dataclass(frozen=True)
class Settings:
    """What one run is asked to do; checked when made, never changed (see `replace`).

    None leaves a setting to the pair; `for_pair` fills it in. Names and the figures of the preset
    "report" are the report's. A wrong value raises ValueError that names the field, what was given
    and what is allowed; a wrong name raises TypeError, in `preset` and
    `replace` with the nearest one.
    """

    include: list[str] = field(default_factory=list)
    exclude: str = ""
    extras: str = ""
    regions: list[str] = field(default_factory=list)
    region_weight: float = 1.0
    attributes: list[str] = field(default_factory=list)
    palette: list[str] = field(default_factory=list)
    palette_weight: float = 3.0
    style_image: str = ""
    style_image_weight: float = 6.0
    learning_rate: float = OF_PAIR
    total_iter: int = OF_PAIR
    activation: str = "sine"
    activation_at: str = "start"
    noise_factor: float = OF_PAIR
    crops: int = OF_PAIR
    crop_method: str = OF_PAIR
    height: int = OF_PAIR
    width: int = OF_PAIR
    seed: int = 0
    tries: int = 1
    weight_decay: float = OF_PAIR
    quantize: bool = True
    within_codebook: bool = OF_PAIR
    distance: str = OF_PAIR
    ema_decay: float = OF_PAIR
    finish: bool = OF_PAIR
    w1: float = 1.0
    w2: float = 1.0
    alpha: float = 1.0
    beta: float = 0.5
    start: str = OF_PAIR
    drawing: int = 0
    init_image: str = ""
    start_strength: float = OF_PAIR
    keep_edges: float = OF_PAIR
    keep_colours: float = OF_PAIR
    prior: float = OF_PAIR
    loosen: float = OF_PAIR
    precision: str = "auto"
    random: str = "device"
    show_step: int = 5
    show_from: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.include, str | os.PathLike):
            object.__setattr__(self, "include", [self.include])
        if isinstance(self.seed, Real) and self.seed == -1:
            object.__setattr__(self, "seed", secrets.randbelow(2**32))
        for name, k in KNOBS.items():
            object.__setattr__(self, name, checked(name, getattr(self, name), k))
        for text in self.regions:
            parse_region(text)
        parse_attributes(self.attributes)
        for text in self.palette:
            parse_colour(text)

    def live(self, name: str) -> bool:
        """Whether a run with these settings can change the setting `name` while it paints."""
        return KNOBS[name].live or (name == "activation" and self.activation_at == "every step")

    @property
    def drawn(self) -> bool:
        """Whether the library draws things, or, from noise, the prior."""
        return not self.init_image and (
            self.start == "library" or (self.start == "noise" and bool(self.prior))
        )

    @property
    def uses_prior(self) -> bool:
        """Whether the prior draws: the start, or things while they form from noise."""
        return self.start == "prior" or (self.start == "noise" and self.drawn)

    @property
    def steps_of_a_try(self) -> int:
        """A tenth of the picture's steps, `JUDGED` at least."""
        return max(JUDGED, -(-self.total_iter // 10))

    @property
    def steps_ahead(self) -> int:
        """Steps of all tries together, which come before a picture's own first step."""
        return self.tries * self.steps_of_a_try if self.tries > 1 else 0

    def for_pair(self, defaults: Mapping[str, Any]) -> Settings:
        """A copy in which nothing is left empty: from a pair's `defaults`, else the usual value."""
        empty = {name: k for name, k in KNOBS.items() if getattr(self, name) is None}
        return self.replace(**{name: defaults.get(name, k.usual) for name, k in empty.items()})

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Settings:
        """Settings of one of `PRESETS`, with `changes` on top."""
        if name not in PRESETS:
            raise ValueError(f"preset {name!r} is not known: choose one of {', '.join(PRESETS)}")
        return cls._made({**PRESETS[name], **changes})

    @classmethod
    def _made(cls, values: dict[str, Any]) -> Settings:
        for name in values:
            if name not in KNOBS:
                near = difflib.get_close_matches(name, KNOBS, 1)
                raise TypeError(
                    f"{name!r} is no setting" + (f": did you mean {near[0]!r}?" if near else "")
                )
        return cls(**values)

    def replace(self, **changes: Any) -> Settings:
        """A copy with `changes`, checked."""
        return self._made({**dataclasses.asdict(self), **changes})

    def to_json(self) -> str:
        """All values as a JSON object."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of `to_json`; ValueError if `text` is not that."""
        values = None
        with contextlib.suppress(ValueError, RecursionError, TypeError):
            values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"settings must be a JSON object, got {shown(text)}")
        try:
            return cls._made(values)
        except TypeError as e:  # a name that is no setting
            raise ValueError(str(e)) from e


def label(name: str) -> str:
    """What people read in place of a setting's name."""
    return KNOBS[name].label or name.replace("_", " ")


KNOBS: dict[str, Knob] = {}
for _field in dataclasses.fields(Settings):
    _default = [] if _field.default is dataclasses.MISSING else _field.default
    _facts = FACTS["settings"][_field.name]
    _facts["choices"] = tuple(_facts.get("choices", ()))
    KNOBS[_field.name] = Knob(kind=str(_field.type), default=_default, **_facts)
TYPES: dict[str, str] = {name: k.kind for name, k in KNOBS.items()}
PRESETS: dict[str, dict[str, Any]] = FACTS["presets"]
PRESETS["nerdyrodent"] = PRESETS["crowson"] | PRESETS["nerdyrodent"]
assert list(FACTS["settings"]) == list(KNOBS), "each setting is a field and a section, in one order"
