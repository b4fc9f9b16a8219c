"""Every knob once: default, range, unit, label and one line of help. Sliders, the command line,
tables and errors are made from here."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from .attributes import parse_attributes
from .knobs import Knob, checked, knob, shown
from .palettes import parse_colour
from .regions import parse_region

ACTIVATIONS = ("sine", "none", "relu", "leaky relu", "tanh", "sigmoid", "softmax")
STARTS = ("noise", "library", "prior")


@dataclass(frozen=True)
class Settings:
    """What one run is asked to do; checked when made, never changed (see `replace`).

    None leaves a setting to the pair; `for_pair` fills it in. Names and the figures of the preset
    "report" are the report's. A wrong value raises ValueError that names the field, what was given
    and what is allowed; a wrong name raises TypeError, with the nearest
    in `preset` and `replace`.
    """

    include: list[str] = knob(
        [],
        "what to paint: a text or picture file; weigh and join: 'a fox:2 | snow:1'; "
        "several prompts become one picture each, in turn",
        label="prompt",
    )
    exclude: str = knob("", "what the picture should not show; empty for nothing", label="avoid")
    extras: str = knob(
        "", "added to every prompt: a style or a place; empty for nothing", label="style"
    )
    regions: list[str] = knob(
        [],
        "parts of the picture with a prompt of their own, the prompt above then has the rest: "
        "'left: a cat', a box '0 0 .5 1: a cat' (left, top, right, bottom, of 1), or a picture "
        "that is white there, 'mask.png: a cat'",
    )
    region_weight: float = knob(
        1.0,
        "importance of the regions' prompts in the loss",
        label="pull to regions",
        low=0.0,
        high=10.0,
    )
    attributes: list[str] = knob(
        [],
        "what the prompt takes on, with a strength from -1 to 1: a colour ('red: 0.5'), a size "
        "('big' or 'small'), a style ('a line drawing: 1'); regions and the prior do not",
    )
    palette: list[str] = knob(
        [],
        "colours that the picture keeps to, by name or as '#1b2a6b'; a picture at the start is "
        "painted over in them",
    )
    palette_weight: float = knob(
        3.0, "how firmly the picture keeps to the palette", low=0.0, high=100.0
    )
    style_image: str = knob(
        "", "picture file whose colours and textures the picture takes on", label="style picture"
    )
    style_image_weight: float = knob(
        6.0,
        "how firmly the picture takes on the style picture's colours and textures",
        label="pull to style picture",
        low=0.0,
        high=100.0,
    )
    learning_rate: float = knob(
        None,
        "step size of the optimizer: low changes the picture slowly, high quickly and wildly",
        usual=0.2,
        empty=True,
        low=0.001,
        high=10.0,
        log=True,
    )
    total_iter: int = knob(
        None,
        "optimisation steps for each picture",
        label="iterations",
        option="steps",
        usual=100,
        empty=True,
        low=1,
        high=10_000,
        unit="steps",
        log=True,
    )
    activation: str = knob(
        "sine",
        "function applied to the latent: to its random start, or in every step",
        choices=ACTIVATIONS,
        live=False,
    )
    activation_at: str = knob(
        "start",
        "apply the activation once at the start, or inside every step",
        label="activation at",
        choices=("start", "every step"),
        live=False,
    )
    noise_factor: float = knob(
        None,
        "noise added to the crops, against paintings only CLIP can see",
        usual=0.22,
        empty=True,
        low=0.0,
        high=2.0,
    )
    crops: int = knob(
        None,
        "random views of the picture that CLIP judges in a step",
        label="views",
        usual=16,
        empty=True,
        low=1,
        high=256,
        unit="crops",
    )
    crop_method: str = knob(
        None,
        "anchored: a quarter see the whole picture, the rest are spread evenly; "
        "report: all sizes drawn from a normal distribution; cutouts: upright squares, as Crowson; "
        "whole: all of it, turned and shifted, as nerdyrodent",
        label="kind of views",
        usual="anchored",
        empty=True,
        choices=("anchored", "report", "cutouts", "whole"),
    )
    height: int = knob(
        None,
        "height of the picture; rounded to the generator's step",
        low=16,
        high=4096,
        unit="pixels",
        live=False,
        empty=True,
    )
    width: int = knob(
        None,
        "width of the picture; rounded to the generator's step",
        low=16,
        high=4096,
        unit="pixels",
        live=False,
        empty=True,
    )
    seed: int = knob(
        0,
        "same seed, settings and machine: same bytes; -1: a random seed, which the recipe holds",
        low=0,
        high=2**32 - 1,
        live=False,
    )
    tries: int = knob(
        1,
        "seeds that are painted for a tenth of the steps; the one that CLIP likes best is painted",
        low=1,
        high=16,
        unit="seeds",
        live=False,
    )
    weight_decay: float = knob(
        None,
        "AdamW's pull of the latent towards zero",
        usual=0.1,
        empty=True,
        low=0.0,
        high=10.0,
    )
    quantize: bool = knob(
        True,
        "snap the latent to the codebook (straight-through); off: as the report",
        label="use the codebook",
        live=False,
    )
    within_codebook: bool = knob(
        None,
        "noise at the start is random codes, the latent stays in the codebook's range, and pixels "
        "come back from black and white, as in Crowson's notebook",
        usual=False,
        empty=True,
        live=False,
    )
    distance: str = knob(
        None,
        "how crops are compared with prompts: the cosine, or spherical, half the squared angle",
        usual="cosine",
        empty=True,
        choices=("cosine", "spherical"),
    )
    ema_decay: float = knob(
        None,
        "show a running average of the latent, which evens out its last steps; 0 is off",
        label="running average",
        usual=0.0,
        empty=True,
        low=0.0,
        high=0.999,
    )
    w1: float = knob(1.0, "weight of the prompt", label="prompt weight", low=-10.0, high=10.0)
    w2: float = knob(
        1.0,
        "weight of the style's text beside the prompt's",
        label="style text weight",
        low=-10.0,
        high=10.0,
    )
    alpha: float = knob(
        1.0,
        "importance of prompt and style together in the loss",
        label="pull to prompt",
        low=0.0,
        high=10.0,
    )
    beta: float = knob(
        0.5,
        "importance of what to avoid in the loss",
        label="push from avoid",
        low=0.0,
        high=10.0,
    )
    start: str = knob(
        None,
        "noise: the report's, in which a pair's prior draws (see prior); library: a drawing that "
        "the pair has of the prompt; prior: a picture that the prior draws at once",
        label="start from",
        usual="noise",
        empty=True,
        choices=STARTS,
        live=False,
    )
    drawing: int = knob(
        0,
        "which of the drawings that fit: 0 is the seed's own (the best, for seed 0), 1 the next",
        low=0,
        high=1000,
        live=False,
    )
    init_image: str = knob(
        "", "picture file to start from in place of that", label="start picture", live=False
    )
    start_strength: float = knob(
        None,
        "how much of the picture at the start is seen; the rest is noise",
        label="start strength",
        usual=1.0,
        empty=True,
        low=0.0,
        high=1.0,
        live=False,
    )
    keep_edges: float = knob(
        None,
        "how firmly the lines of the picture at the start are kept; 0 lets them go",
        label="keep lines",
        usual=0.0,
        empty=True,
        low=0.0,
        high=100.0,
    )
    keep_colours: float = knob(
        None,
        "how firmly its large areas keep their colours; 0 frees them",
        usual=0.0,
        empty=True,
        low=0.0,
        high=100.0,
    )
    prior: float = knob(
        None,
        "from noise: how much of the picture the prior over codes draws while it forms; 1: all of "
        "it, 0: CLIP paints alone",
        usual=0.0,
        empty=True,
        low=0.0,
        high=1.0,
        live=False,
    )
    loosen: float = knob(
        None,
        "how far a changed prompt may undo what is painted: 0 nothing, 1 all of it",
        usual=0.0,
        empty=True,
        low=0.0,
        high=1.0,
    )
    precision: str = knob(
        "auto",
        "what the networks compute in; auto: half on CUDA, float32 elsewhere",
        choices=("auto", "float32", "half"),
        live=False,
    )
    random: str = knob(
        "device",
        "where random numbers are drawn: device is faster on a GPU; cpu gives the same picture on "
        "every device",
        label="random numbers",
        choices=("device", "cpu"),
        live=False,
    )
    show_step: int = knob(
        5, "keep and show every so many steps", label="keep every", low=1, high=10_000, unit="steps"
    )
    show_from: int = knob(
        0, "keep and show from this step on", label="keep from", low=0, high=10_000, unit="steps"
    )

    def __post_init__(self) -> None:
        if isinstance(self.include, str | os.PathLike):
            object.__setattr__(self, "include", [self.include])
        if isinstance(self.seed, Real) and self.seed == -1:
            object.__setattr__(self, "seed", secrets.randbelow(2**32))
        for f in dataclasses.fields(self):
            value = checked(f.name, getattr(self, f.name), KNOBS[f.name], TYPES[f.name])
            object.__setattr__(self, f.name, value)
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

    def for_pair(self, defaults: Mapping[str, Any]) -> Settings:
        """A copy in which nothing is left empty: from a pair's `defaults`, else the usual value."""
        missing = [k for k in KNOBS if getattr(self, k) is None]
        given = {k: defaults.get(k, KNOBS[k].usual) for k in missing}
        return self.replace(**given)

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
        try:
            values = json.loads(text)
        except (ValueError, RecursionError, TypeError) as e:
            raise ValueError(f"settings must be a JSON object, got {shown(text)}") from e
        if not isinstance(values, dict):
            raise ValueError(f"settings must be a JSON object, got {shown(text)}")
        try:
            return cls._made(values)
        except TypeError as e:  # a name that is no setting
            raise ValueError(str(e)) from e


def default_of(field: dataclasses.Field) -> Any:
    """What a field is where nothing is given."""
    made = field.default_factory is not dataclasses.MISSING
    return field.default_factory() if made else field.default


def label(name: str) -> str:
    """What people read in place of a setting's name."""
    return KNOBS[name].label or name.replace("_", " ")


KNOBS: dict[str, Knob] = {f.name: f.metadata["knob"] for f in dataclasses.fields(Settings)}
TYPES: dict[str, str] = {f.name: str(f.type).split(" ")[0] for f in dataclasses.fields(Settings)}

CROWSON: dict[str, Any] = dict(
    within_codebook=True,
    distance="spherical",
    quantize=True,
    activation="none",
    activation_at="start",
    beta=1.0,
    ema_decay=0.0,
    start="noise",
    start_strength=1.0,
    keep_edges=0.0,
    keep_colours=0.0,
    prior=0.0,
    loosen=0.0,
)
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
        within_codebook=False,
        distance="cosine",
        quantize=False,
        ema_decay=0.0,
        start="noise",
        start_strength=1.0,
        keep_edges=0.0,
        keep_colours=0.0,
        prior=0.0,
        loosen=0.0,
        precision="float32",
    ),
    "draft": dict(total_iter=40, crops=8),
    "fine": dict(total_iter=300, crops=32, learning_rate=0.1),
    # The z+quantize method. Adam of both is AdamW here, Crowson's without decay.
    "crowson": dict(
        learning_rate=0.05,
        weight_decay=0.0,
        noise_factor=0.0,
        total_iter=500,
        crops=64,
        crop_method="cutouts",
        height=480,
        width=480,
        **CROWSON,
    ),
    "nerdyrodent": dict(
        learning_rate=0.1,
        weight_decay=0.01,
        noise_factor=0.1,
        total_iter=500,
        crops=32,
        crop_method="whole",
        height=512,
        width=512,
        **CROWSON,
    ),
}


def table(pairs: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """The controls as a Markdown table; `pairs` gives a column of defaults for each pair named."""
    pairs = pairs or {"default": {}}
    rows = [f"| setting | {' | '.join(pairs)} | report | allowed | what it does |"]
    rows.append("|---" * (len(pairs) + 4) + "|")
    for f in dataclasses.fields(Settings):
        k = KNOBS[f.name]
        if k.choices:
            allowed = ", ".join(k.choices)
        elif k.high is not None:
            allowed = f"{k.low:g} to {k.high:.10g} {k.unit}".strip()
        else:
            allowed = "on, off" if TYPES[f.name] == "bool" else "text"
        default = k.usual if f.default is None else default_of(f)
        shown = [defaults.get(f.name, default) for defaults in pairs.values()]
        shown.append(PRESETS["report"].get(f.name, default))
        help_text = k.help.replace("|", "\\|")
        rows.append(f"| `{f.name}` | {' | '.join(map(_cell, shown))} | {allowed} | {help_text} |")
    return "\n".join(rows)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "–" if value in ("", [], None) else f"{value}"
