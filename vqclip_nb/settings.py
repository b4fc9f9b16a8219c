"""Every knob once: default, range, unit and one line of help. Sliders, tables and errors are made
from here."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from dataclasses import dataclass, field
from typing import Any

ACTIVATIONS = ("sine", "none", "relu", "leaky relu", "tanh", "sigmoid", "softmax")


@dataclass(frozen=True)
class Knob:
    """What a control needs to know about one field of `Settings`."""

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    log: bool = False  # a slider for it moves in powers of ten
    live: bool = True  # a change takes effect on the next step; otherwise it needs a restart
    empty: bool = False  # None is allowed and means: as the pair prefers


def knob(default: Any, help: str, **facts: Any) -> Any:
    """A dataclass field that carries its `Knob`."""
    metadata = {"knob": Knob(help, **facts)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What one run is asked to do; checked when made, never changed (see `replace`).

    Names and the figures of the preset "report" are the report's. A wrong value raises ValueError
    that names the field, what was given and what is allowed; a wrong name raises TypeError with the
    nearest.
    """

    include: list[str] = knob(
        [],
        "what to paint: a text or picture file; weigh and join: 'a fox:2 | snow:1'; "
        "each entry of the list becomes a picture of its own",
    )
    exclude: str = knob("", "what to keep away from; empty for nothing")
    extras: str = knob("", "added to every include: a style or a place; empty for nothing")
    learning_rate: float = knob(
        0.2,
        "how far a step moves the latent: low is calm, high is wild",
        low=0.001,
        high=10.0,
        log=True,
    )
    total_iter: int = knob(
        100, "optimisation steps for each picture", low=1, high=10_000, unit="steps", log=True
    )
    activation: str = knob(
        "sine", "function applied to the latent's random numbers", choices=ACTIVATIONS, live=False
    )
    activation_at: str = knob(
        "start",
        "apply the activation once at the start, or inside every step",
        choices=("start", "every step"),
        live=False,
    )
    noise_factor: float = knob(
        0.22, "noise added to the crops, against paintings only CLIP can see", low=0.0, high=2.0
    )
    crops: int = knob(
        16, "random views of the picture that CLIP judges in a step", low=1, high=256, unit="crops"
    )
    crop_method: str = knob(
        "anchored",
        "anchored: a quarter see the whole picture, the rest are spread evenly; "
        "report: all sizes drawn from a normal distribution",
        choices=("anchored", "report"),
    )
    height: int | None = knob(
        None,
        "height of the picture; rounded to the generator's step",
        low=16,
        high=4096,
        unit="pixels",
        live=False,
        empty=True,
    )
    width: int | None = knob(
        None,
        "width of the picture; rounded to the generator's step",
        low=16,
        high=4096,
        unit="pixels",
        live=False,
        empty=True,
    )
    seed: int = knob(
        0, "same seed, settings and machine: same bytes", low=0, high=2**32 - 1, live=False
    )
    weight_decay: float = knob(0.1, "AdamW's pull of the latent towards zero", low=0.0, high=10.0)
    quantize: bool = knob(
        True, "snap the latent to the codebook (straight-through); off: as the report", live=False
    )
    average: float = knob(
        0.0,
        "show the running average of the latent: calmer pictures; 0 is off",
        low=0.0,
        high=0.999,
    )
    w1: float = knob(1.0, "weight of include", low=-10.0, high=10.0)
    w2: float = knob(1.0, "weight of extras", low=-10.0, high=10.0)
    alpha: float = knob(1.0, "importance of include and extras in the loss", low=0.0, high=10.0)
    beta: float = knob(0.5, "importance of exclude in the loss", low=0.0, high=10.0)
    init_image: str = knob("", "picture file to start from; empty: start from noise", live=False)
    show_step: int = knob(5, "keep and show every so many steps", low=1, high=10_000, unit="steps")
    show_from: int = knob(0, "keep and show from this step on", low=0, high=10_000, unit="steps")

    def __post_init__(self) -> None:
        if isinstance(self.include, str):
            object.__setattr__(self, "include", [self.include])
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, self._checked(f.name, getattr(self, f.name)))

    @classmethod
    def _checked(cls, name: str, value: Any) -> Any:
        k, kind = KNOBS[name], TYPES[name]
        if k.empty and value is None:
            return None
        if name == "include":
            if (
                not isinstance(value, list | tuple)
                or not value
                or not all(isinstance(v, str) and v.strip() for v in value)
            ):
                raise ValueError(
                    f"include={value!r}: give at least one text that is not empty, "
                    "for example include=['a pineapple in a bowl']"
                )
            return [v.strip() for v in value]
        if kind in ("int", "float"):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or (kind == "int" and value != int(value)):
                raise ValueError(
                    f"{name}={value!r}: give {'a whole number' if kind == 'int' else 'a number'} "
                    f"from {k.low:g} to {k.high:.10g}"
                )
            if not k.low <= value <= k.high:
                raise ValueError(
                    f"{name}={value:g} is out of range: allowed is "
                    f"{k.low:g} to {k.high:.10g} {k.unit}".rstrip()
                )
            return int(value) if kind == "int" else float(value)
        if kind == "bool":
            if not isinstance(value, bool):
                raise ValueError(f"{name}={value!r}: give True or False")
            return value
        if not isinstance(value, str):
            raise ValueError(f"{name}={value!r}: give a text")
        value = value.strip()
        if k.choices and value not in k.choices:
            raise ValueError(f"{name}={value!r} is not known: choose one of {', '.join(k.choices)}")
        return value

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Settings:
        """Settings of a preset ("default", "report", "draft", "fine") with `changes` on top."""
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
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of `to_json`; ValueError if `text` is not that."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"settings must be a JSON object, got {text[:60]!r}")
        return cls._made(values)


KNOBS: dict[str, Knob] = {f.name: f.metadata["knob"] for f in dataclasses.fields(Settings)}
TYPES: dict[str, str] = {f.name: str(f.type).split(" ")[0] for f in dataclasses.fields(Settings)}

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "report": dict(
        learning_rate=0.5,
        weight_decay=0.1,
        noise_factor=0.22,
        total_iter=400,
        crops=30,
        alpha=1.0,
        beta=0.5,
        show_step=10,
        show_from=80,
        height=450,
        width=450,
        activation="sine",
        activation_at="start",
        crop_method="report",
        quantize=False,
        average=0.0,
    ),
    "draft": dict(total_iter=40, crops=8),
    "fine": dict(total_iter=300, crops=32, learning_rate=0.1),
}


def table() -> str:
    """The controls as a Markdown table, for the README."""
    rows = ["| setting | default | report | allowed | what it does |", "|---|---|---|---|---|"]
    for f in dataclasses.fields(Settings):
        k = KNOBS[f.name]
        if k.choices:
            allowed = ", ".join(k.choices)
        elif k.high is not None:
            allowed = f"{k.low:g} to {k.high:.10g} {k.unit}".strip()
        else:
            allowed = "on, off" if TYPES[f.name] == "bool" else "text"
        default = [] if f.name == "include" else f.default

        def word(v: Any) -> str:
            return (
                {True: "on", False: "off"}[v]
                if isinstance(v, bool)
                else "–"
                if v in ("", [], None)
                else f"{v}"
            )

        help_text = k.help.replace("|", "\\|")
        rows.append(
            f"| `{f.name}` | {word(default)} | {word(PRESETS['report'].get(f.name, default))} "
            f"| {allowed} | {help_text} |"
        )
    return "\n".join(rows)
