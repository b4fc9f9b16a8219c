"""The widgets: type, watch, steer, go back, export. The only room that imports ipywidgets."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import io
import logging
import math
import mimetypes
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as w
from PIL import Image

from .export import morph, save_gif, save_mp4, save_png
from .frames import Frame
from .models.pair import Pair, available_pairs, load_pair
from .prompts import background_suffix, strange_words
from .recipe import open_recipe, read_recipe
from .run import Run
from .settings import KNOBS, PRESETS, TYPES, Settings
from .show import Figure, Live, contact_sheet
from .vocabulary import describe_unknown
from .weights import cache_folder

log = logging.getLogger(__name__)

MAIN = ("learning_rate", "total_iter", "activation", "noise_factor")
PROMPTS = ("include", "exclude", "extras")
EXAMPLES = {
    "pineapple": "a pineapple on a white background",
    "sunflower": "a sunflower on a blue background",
    "fire": "a fire on a black background",
}
TICK = 0.15  # seconds of work between two looks at the controls
TYPING = 0.7  # seconds without a key until a prompt counts as typed
SAVE_EVERY = 20.0  # seconds between two copies for a session that is cut off
SHARE = 29  # rest so many times as long as a figure or a copy took: a thirtieth of the time
DRAFTS = 6
LABEL = {"description_width": "110px"}


def make_control(name: str, value: Any, *, size: int) -> w.Widget:
    """The widget of one setting, from its `Knob`; `size` stands in for an empty picture side."""
    k, kind = KNOBS[name], TYPES[name]
    options: dict[str, Any] = {
        "description": name.replace("_", " "),
        "style": LABEL,
        "layout": w.Layout(width="98%"),
    }
    if k.choices:
        control: w.Widget = w.Dropdown(options=k.choices, value=value, **options)
    elif kind == "bool":
        control = w.Checkbox(value=value, indent=False, **options)
    elif name == "include":
        control = w.Textarea(value="\n".join(value), rows=2, **options)
    elif kind == "str":
        control = w.Text(value=value, **options)
    else:
        number, step = (w.BoundedIntText, 1) if kind == "int" else (w.BoundedFloatText, 0.01)
        value = size if value is None else value
        control = number(value=value, min=k.low, max=k.high, step=step, **options)
    tip(control, k.help)
    return control


def tip(control: w.Widget, text: str) -> None:
    """What shows when the pointer rests on `control`, in ipywidgets 7 and 8."""
    setattr(control, "tooltip" if control.has_trait("tooltip") else "description_tooltip", text)


def with_slider(name: str, number: w.Widget) -> w.Widget:
    """A number with a slider behind it, where the setting `name` has a range to slide over.

    The number counts and carries the label: front-ends snap a slider's value to its steps, and give
    it no name that a screen reader could say.
    """
    k, kind = KNOBS[name], TYPES[name]
    if kind not in ("int", "float") or not (k.log or kind == "float"):
        return number
    place = math.log10 if k.log else float
    slider = w.FloatSlider(
        value=place(number.value), min=place(k.low), max=place(k.high), step=0.01, readout=False
    )

    def slid(change: dict[str, Any]) -> None:
        if abs(change["new"] - place(number.value)) > 0.0051:  # else it only snapped
            value = float(f"{10 ** change['new']:.3g}") if k.log else round(change["new"], 2)
            number.value = min(max(value if kind == "float" else round(value), k.low), k.high)

    slider.observe(slid, "value")
    number.observe(lambda change: setattr(slider, "value", place(change["new"])), "value")
    return beside(number, slider)


def beside(number: w.Widget, slider: w.Widget) -> w.HBox:
    number.layout = w.Layout(width="200px", flex="none")
    slider.layout = w.Layout(flex="1 1 auto", width="auto")
    return w.HBox([number, slider], layout=w.Layout(width="98%"))


def read_control(name: str, value: Any) -> Any:
    """What a control's value means as a setting."""
    if name != "include":
        return value
    return [line.strip() for line in value.splitlines() if line.strip()]


def jpeg(image: Image.Image, side: int = 0) -> bytes:
    file = io.BytesIO()
    if side:
        image = image.copy()
        image.thumbnail((side, side))
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def uploaded(value: Any) -> tuple[str, bytes] | None:
    """Name and content of a FileUpload's file: ipywidgets 7 gives a dict by name, 8 a tuple."""
    if not value:
        return None
    name, file = (
        next(iter(value.items())) if isinstance(value, dict) else (value[0]["name"], value[0])
    )
    return Path(name).name, bytes(file["content"])


def differences(settings: Settings, first: Settings) -> str:
    """The settings in which a try differs from the first, in words."""
    now, then = dataclasses.asdict(settings), dataclasses.asdict(first)
    return ", ".join(f"{n.replace('_', ' ')} {str(now[n])[:60]}" for n in now if now[n] != then[n])


def free_path(folder: Path, name: str) -> Path:
    """`name` in `folder`, numbered if there is such a file: no export overwrites another."""
    path, n = folder / name, 2
    while path.exists():
        path, n = folder / f"{Path(name).stem}-{n}{Path(name).suffix}", n + 1
    return path


def resized(image: Image.Image, side: int) -> Image.Image:
    """`image` with its longer side `side` pixels long; 0 leaves it as it is."""
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS) if side else image


class Try:
    """A run with its place in the strip: thumbnail, name, a box to tick for comparing."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        layout = w.Layout(width="140px")
        self.picture = w.Image(format="jpeg", width=140)
        narrow = {"description_width": "initial"}
        self.name = w.Text(value=name, description="name", style=narrow, layout=layout)
        self.open = w.Button(description="open", tooltip=f"look at {name} again", layout=layout)
        self.compare = w.Checkbox(description="compare", indent=False, layout=layout)
        tip(self.name, "name of this try")
        tip(self.compare, "tick two or more to see them side by side, or to morph through them")
        self.box = w.VBox([self.picture, self.name, self.open, self.compare])


class Studio(w.VBox):
    """Controls around a `Run`.

    A front-end timer asks for work; each tick takes about `TICK` seconds of it and returns, so that
    sliders are heard in between. `paint()` takes the same ticks in one blocking call. What is being
    done (painting, drafts) is a generator in `job`, one step at a time, always under the lock.
    """

    def __init__(
        self, pair: Pair, settings: Settings | None = None, *, folder: str | Path = "."
    ) -> None:
        self.pair, self.folder = pair, Path(folder)
        self.run: Run | None = None
        self.job: Iterator[None] | None = None
        self.tries: list[Try] = []  # every run so far: restarts and branches
        self.touched: dict[str, float] = {}  # controls a person moved since the last step, and when
        self._lock = threading.RLock()
        self._quiet = False  # controls are being set by us, not by a person
        self._picture_due = self._draw_due = self._save_due = 0.0
        self._live: Live | None = None
        self._draft_seeds = [0] * DRAFTS
        settings = settings or Settings(include=EXAMPLES["pineapple"])
        facts = self.pair.facts
        self._make_controls(
            settings.for_pair({"height": facts.size, "width": facts.size, **facts.defaults})
        )
        self._make_buttons()
        self._make_display()
        self._make_export()
        super().__init__(self._layout())
        self._offer_resume()
        self._show_hints()

    # -- widgets

    def _make_controls(self, start: Settings) -> None:
        self.controls = {
            f.name: make_control(f.name, getattr(start, f.name), size=self.pair.facts.size)
            for f in dataclasses.fields(Settings)
        }
        for name, control in self.controls.items():
            self._on(control, lambda name=name: self._changed(name))
        names = list(dict.fromkeys([self.pair.name, *available_pairs()]))
        self.pair_name = w.Dropdown(options=names, description="pair", style=LABEL)
        tip(self.pair_name, "the networks: emoji ships with the package, others are downloaded")
        self._on(self.pair_name, lambda: self._say("press Run to load this pair and paint with it"))
        self.preset = w.Dropdown(options=list(PRESETS), description="preset", style=LABEL)
        tip(self.preset, "set many controls at once; report: the figures of the report")
        self._on(self.preset, self._set_preset)
        self.start_picture = w.FileUpload(
            accept="image/*", description="start from a picture", layout=w.Layout(width="auto")
        )
        self._on(self.start_picture, self._take_start_picture)

    def _make_buttons(self) -> None:
        self.timer = w.Play(min=0, max=2**31 - 1, interval=100, layout=w.Layout(display="none"))
        self._on(self.timer, self.tick)
        self.buttons = {
            name: self._button(name, help, call)
            for name, help, call in (
                ("Run", "start a picture with these controls; earlier tries are kept", self.start),
                ("Pause", "stop for now; press again to continue", self.pause),
                ("Step", "one optimisation step", self.step),
                ("Stop", "end this try", self.stop),
                ("6 drafts", "six cheap tries with different seeds to choose from", self.drafts),
            )
        }
        self.examples = [
            self._button(name, text, lambda text=text: self._set(include=text, steer=True))
            for name, text in EXAMPLES.items()
        ]

    def _make_display(self) -> None:
        blank = jpeg(Image.new("RGB", (384, 384), "lightgray"))
        self.picture = w.Image(value=blank, format="jpeg", width=384)
        self.curves = w.Image(format="png", layout=w.Layout(display="none", max_width="640px"))
        self.status, self.message, self.hints = w.HTML(), w.HTML(), w.HTML()
        self.back = w.BoundedIntText(min=0, max=0, description="go back", style=LABEL)
        self.slide = w.IntSlider(min=0, max=0, readout=False)
        for trait in ("max", "value"):
            w.link((self.back, trait), (self.slide, trait))
        tip(self.back, "look at the frames so far")
        self._on(self.back, self._look_back)
        self.go_on = self._button(
            "Continue from here", "a new try from this frame; the first one is kept", self.branch
        )
        self.strip, self.offer = w.HBox(layout=w.Layout(flex_flow="row wrap")), w.HBox()
        self.compared = w.Image(format="png", layout=w.Layout(display="none"))
        self.sheet = w.HBox(layout=w.Layout(flex_flow="row wrap", display="none"))
        self.sheet.children = [
            w.VBox(
                [
                    w.Image(format="jpeg", width=140),
                    self._button("", "paint this one in full", lambda i=i: self._promote(i)),
                ]
            )
            for i in range(DRAFTS)
        ]

    def _make_export(self) -> None:
        narrow = {"style": {"description_width": "initial"}, "layout": w.Layout(width="150px")}
        self.kind = w.Dropdown(options=("GIF", "PNG", "MP4"), description="file", **narrow)
        self.motion = w.Dropdown(options=("as it formed", "morph"), description="motion", **narrow)
        tip(self.motion, "morph: through the last pictures of all prompts, or of the ticked tries")
        self.side = w.BoundedIntText(value=0, min=0, max=4096, description="pixels", **narrow)
        tip(self.side, "longer side of the exported picture; 0: as it was painted")
        self.fps = w.BoundedFloatText(value=10, min=0.1, max=50, description="frames/s", **narrow)
        tip(self.fps, "frames a second in a GIF or MP4")
        self.boomerang = w.Checkbox(description="boomerang", indent=False, layout={"width": "auto"})
        tip(self.boomerang, "play it forwards, then backwards")
        self.progress = w.IntProgress(description="writing", layout=w.Layout(display="none"))
        self.link = w.HTML()  # a download link; Colab needs a button that calls its own
        self.download = self._button("Download", "to your computer", self._download)
        self.download.layout = w.Layout(width="auto", display="none")
        self.upload = w.FileUpload(
            accept=".png,.gif,.mp4",
            description="restore controls from a file",
            layout=w.Layout(width="auto"),
        )
        self._on(self.upload, self._restore)

    def _layout(self) -> list[w.Widget]:
        c = self.controls
        rest = [with_slider(n, c[n]) for n in c if n not in MAIN + PROMPTS]
        more = w.Accordion(
            children=[
                w.VBox([self.pair_name, self.preset, *rest, w.HBox([self.start_picture])]),
                w.HTML(self._help()),
            ],
            selected_index=None,
        )
        more.set_title(0, "More controls")
        more.set_title(1, "What each control does")
        left = w.VBox(
            [
                *(c[n] for n in PROMPTS),
                self.hints,
                w.HBox(self.examples),
                *(with_slider(n, c[n]) for n in MAIN),
                w.HBox(list(self.buttons.values())),
                self.message,
                more,
            ],
            layout=w.Layout(width="55%"),
        )
        right = w.VBox(
            [self.picture, self.status, beside(self.back, self.slide), self.go_on],
            layout=w.Layout(width="45%"),
        )
        write = self._button("Export", "write the file", self.export)
        export = w.HBox(
            [self.kind, self.motion, self.side, self.fps, self.boomerang, write],
            layout=w.Layout(flex_flow="row wrap"),
        )
        return [
            self.offer,
            w.HBox([left, right]),
            self.curves,
            self.sheet,
            self.strip,
            self.compared,
            export,
            self.progress,
            self.link,
            self.download,
            w.HBox([self.upload]),
            self.timer,
        ]

    @staticmethod
    def _help() -> str:
        rows = (
            f"<b>{name.replace('_', ' ')}</b>: {html.escape(k.help)}" for name, k in KNOBS.items()
        )
        return "<br>".join(rows)

    def _button(self, name: str, help: str, call: Callable[[], None]) -> w.Button:
        button = w.Button(description=name, tooltip=help)
        button.on_click(lambda _: self._guard(call))
        return button

    def _on(self, control: w.Widget, call: Callable[[], None]) -> None:
        """Call when a person moves `control`; what we set ourselves is not heard."""

        def heard() -> None:  # asked under the lock: another thread's quiet is not this one's
            if not self._quiet:
                call()

        control.observe(lambda _: self._guard(heard), "value")

    def _say(self, text: str, *, colour: str = "#555") -> None:
        self.message.value = (
            f'<div role="status" style="color:{colour}">{html.escape(text)}</div>' if text else ""
        )

    def _guard(self, call: Callable[[], None]) -> None:
        """Run a callback under the lock; whatever goes wrong is shown in the Studio, never lost."""
        with self._lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                call()
            except Exception as e:
                self._fail(e)
        for warning in caught:
            self._say(str(warning.message), colour="#a60")

    def _fail(self, error: Exception) -> None:
        self.job = None  # its generator ended with the error; Continue makes a new one
        self._play(False)
        log.exception("in the Studio")
        advice = "" if isinstance(error, ValueError) else "; change it and press Continue or Run"
        self._say(f"{type(error).__name__}: {error}{advice}", colour="#b00")

    # -- controls

    @property
    def settings(self) -> Settings:
        """The controls as checked `Settings`; ValueError names what is wrong."""
        return Settings(**{n: read_control(n, c.value) for n, c in self.controls.items()})

    def _set(self, *, steer: bool = False, **values: Any) -> None:
        """Put values into controls; with `steer` as if a person had, so that the run follows."""
        self._quiet = True
        try:
            for name, value in values.items():
                if name == "include":
                    value = "\n".join([value] if isinstance(value, str) else value)
                self.controls[name].value = self.pair.facts.size if value is None else value
        finally:
            self._quiet = False
        self.touched = dict.fromkeys(values, 0.0) if steer else {}
        self._show_hints()

    def _set_preset(self) -> None:
        include = self.settings.include
        self._set(**dataclasses.asdict(Settings.preset(self.preset.value, include=include)))
        self._say(f"preset {self.preset.value!r}: press Run")

    def _take_start_picture(self) -> None:
        file = uploaded(self.start_picture.value)
        if file is None:  # the front-end emptied it
            return
        name, content = file
        path = cache_folder() / f"start-{hashlib.sha256(content).hexdigest()[:12]}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._set(init_image=str(path))
        self._say(f"press Run to start from {name}")

    def _changed(self, name: str) -> None:
        if name in PROMPTS:
            self._show_hints()
        try:
            self.settings  # noqa: B018
        except ValueError as e:  # half-typed, say: painting goes on with what it had
            return self._say(str(e), colour="#b00")
        words = name.replace("_", " ")
        if self.run is None or self.run.done:
            return
        if KNOBS[name].live:
            self.touched[name] = time.monotonic() if name in PROMPTS else 0.0
            self._say(f"{words} takes effect with the next step")
        else:
            self._say(f"{words} cannot change while a picture forms: press Run to restart with it")

    def _steer(self, wait: float = TYPING) -> None:
        """Hand the run what a person changed, prompts `wait` seconds after the last key."""
        now = time.monotonic()
        if not self.touched or now - max(self.touched.values()) < wait:
            return
        touched, self.touched = self.touched, {}
        values = {n: read_control(n, self.controls[n].value) for n in touched if KNOBS[n].live}
        try:
            self.run.change(**values)
        except ValueError as e:
            return self._say(str(e), colour="#b00")
        words = "; ".join(
            f"{n.replace('_', ' ')} {v:.4g}"
            if isinstance(v, float)
            else f"{n.replace('_', ' ')} {v}"
            for n, v in values.items()
        )
        self._say(f"from step {len(self.run.history) + 1} on: {words}")

    def _show_hints(self) -> None:
        found: dict[str, list[str]] = {}
        for name in PROMPTS:
            for line in self.controls[name].value.splitlines():
                try:
                    found.update(strange_words(self.pair, line))
                except ValueError:
                    pass  # weights that cancel: said when it is used
        parts = [html.escape(describe_unknown(found))] if found else []
        lines = read_control("include", self.controls["include"].value)
        if any(background_suffix(self.pair, line, self.controls["extras"].value) for line in lines):
            parts.append(
                f"{html.escape(self.pair.facts.default_background)}, unless you name another"
            )
        self.hints.value = (
            f'<div role="status" style="color:#a60">{"; ".join(parts)}</div>' if parts else ""
        )

    # -- painting

    @property
    def playing(self) -> bool:
        return getattr(self.timer, "playing" if self.timer.has_trait("playing") else "_playing")

    def _play(self, on: bool) -> None:
        setattr(self.timer, "playing" if self.timer.has_trait("playing") else "_playing", on)
        more = self.job is not None or (self.run is not None and not self.run.done)
        self.buttons["Pause"].description = "Continue" if more and not on else "Pause"

    def start(self) -> None:
        """A new picture with the controls as they are."""
        self._say("")
        if self.pair_name.value != self.pair.name:
            self._change_pair(self.pair_name.value)
        self._adopt(Run(self.pair, self.settings), f"try {len(self.tries) + 1}")
        self._begin(self._painting())

    def _change_pair(self, name: str) -> None:
        self._say(f"loading {name}; the first time it is downloaded, which can take minutes …")
        before, self.pair = self.pair.facts.size, load_pair(name)
        sides = [n for n in ("height", "width") if self.controls[n].value == before]
        self._set(**dict.fromkeys(sides))  # a size that was never chosen follows the pair
        self._say("")

    def _begin(self, job: Iterator[None]) -> None:
        self.job, self.touched = job, {}
        self._play(True)

    def pause(self) -> None:
        if self.playing:
            self._play(False)
        elif self.job is not None:
            self._play(True)
        elif self.run is not None and not self.run.done:
            self.job = self._painting()
            self._play(True)

    def stop(self) -> None:
        self.job = None
        self._play(False)
        if self.run:
            self._show(None, force=True)
            steps = len(self.run.history)
            self._say(f"stopped after {steps} steps; go back, branch, export or Run again")

    def step(self) -> None:
        """One optimisation step by hand."""
        self._play(False)
        if self.run is None or self.run.done:
            self._adopt(Run(self.pair, self.settings), f"try {len(self.tries) + 1}")
        self._steer(wait=0)
        self._show(self.run.step(), force=True)
        self._play(False)

    def tick(self) -> None:
        """Work for `TICK` seconds."""
        until = time.perf_counter() + TICK
        while self.playing and self.job is not None and time.perf_counter() < until:
            if next(self.job, "done") == "done":
                self.job = None
                self._play(False)

    def paint(self) -> Run:
        """Paint to the end in one blocking call (Run all, headless runs) and return the run.

        Pause, Stop or an interrupt end it early and keep everything made so far; errors are raised.
        """
        try:
            with self._lock:
                self.start()
            while self.playing:
                with self._lock:
                    self.tick()
                time.sleep(0.001)  # lets a callback on another thread have the lock
        except KeyboardInterrupt:
            self.stop()
        except Exception as e:
            self._fail(e)
            raise
        return self.run

    def _painting(self) -> Iterator[None]:
        run = self.run
        while not run.done:
            self._steer()
            self._show(run.step(), force=run.done)
            if time.monotonic() > self._save_due or run.done:
                self._save()
            yield
        self._show_strip()
        self._say("done: go back, branch, export, or change something and Run again")

    @property
    def figure(self) -> Figure:
        """The picture and its curves as they are now, to stay in the notebook."""
        if self._live is None or not self.run.frames:
            raise ValueError("nothing to show yet: press Run or call paint() first")
        return self._live.update(self.run.frames[-1])

    def _show(self, frame: Frame | None, *, force: bool = False) -> None:
        """The picture ten times a second; the figure as often as a thirtieth of the time allows."""
        run, frame, now = self.run, frame or self.run.last, time.monotonic()
        if frame is None or not (force or frame.shown or now > self._picture_due):
            return
        self._picture_due = now + 0.1
        self.picture.value = jpeg(frame.image)
        at, total = len(run.history), run.settings.total_iter * len(run.settings.include)
        self.status.value = (
            f"step {at} of {total} · loss {frame.loss:.3f} · similarity {frame.similarity:.3f} · "
            f"{run.seconds_left:.0f} s left"
        )
        if frame.shown or force:
            self._follow()
        if force or now > self._draw_due:
            began = time.monotonic()
            self.curves.value = self._live.update(frame)._repr_png_()
            self.curves.layout.display = ""
            self._draw_due = time.monotonic() + SHARE * (time.monotonic() - began)

    def _follow(self) -> None:
        """Move the slider to the newest frame."""
        self._quiet = True
        self.back.max = self.back.value = max(0, len(self.run.frames) - 1)
        self._quiet = False

    # -- tries: going back, branching, comparing

    def _adopt(self, run: Run, name: str) -> None:
        """Make `run` the one that is shown and steered."""
        self.run, self._live, self.job, self.touched = run, Live(run), None, {}
        if all(t.run is not run for t in self.tries):
            new = Try(run, name)
            new.open.on_click(lambda _: self._guard(lambda: self._open_try(new)))
            self._on(new.compare, self._show_compared)
            self._on(new.name, self._show_compared)
            self.tries.append(new)
        self._show_strip()
        self.status.value, self.curves.layout.display = "starting", "none"
        self._follow()
        self._show(None, force=True)

    def _look_back(self) -> None:
        """Show the frame under the slider; painting pauses for it."""
        self._play(False)
        frame = self.run.frames[self.back.value]
        self.picture.value = jpeg(frame.image)
        self.status.value = (
            f"step {frame.iteration} of picture {frame.index + 1} · loss {frame.loss:.3f} · "
            f"similarity {frame.similarity:.3f}"
        )

    def branch(self) -> None:
        """A second try from the frame under the slider, with the live controls as they are now."""
        if self.run is None or not self.run.frames:
            raise ValueError("nothing to go back to yet: press Run first")
        frame = self.run.frames[self.back.value]
        live = {n: v for n, v in dataclasses.asdict(self.settings).items() if KNOBS[n].live}
        name = f"try {len(self.tries) + 1}, from step {frame.iteration}"
        self._adopt(self.run.branch(frame, **live), name)
        self._say(f"a new try from step {frame.iteration}; the first one is kept below")
        self._begin(self._painting())

    def _show_strip(self) -> None:
        seen = [t for t in self.tries if t.run.image is not None]
        for t in seen:
            t.picture.value = jpeg(t.run.image, 140)
        self.strip.children = [t.box for t in seen]

    def _open_try(self, chosen: Try) -> None:
        self._set(**dataclasses.asdict(chosen.run.settings))
        self._adopt(chosen.run, chosen.name.value)
        self._play(False)
        todo = "is finished" if chosen.run.done else "Continue goes on where it stopped"
        self._say(f"{chosen.name.value}: {todo}")

    @property
    def ticked(self) -> list[Try]:
        return [t for t in self.tries if t.compare.value and t.run.image is not None]

    def _show_compared(self) -> None:
        """The ticked tries side by side, each with its name and what was set differently."""
        ticked = self.ticked
        if len(ticked) < 2:
            self.compared.layout.display = "none"
            return
        first = ticked[0].run.settings
        titles = [
            f"{t.name.value}, {t.run.similarity:.3f}\n{differences(t.run.settings, first)}"
            for t in ticked
        ]
        sheet = contact_sheet([t.run.image for t in ticked], titles, columns=len(ticked), inches=3)
        self.compared.value = sheet._repr_png_()
        self.compared.layout.max_width, self.compared.layout.display = f"{240 * len(ticked)}px", ""

    # -- drafts

    def drafts(self) -> None:
        """Six cheap runs with six seeds; a click promotes one to a full run."""
        settings = self.settings  # before anything is put away: it may be wrong
        for slot in self.sheet.children:
            slot.layout.display = "none"
        self.sheet.layout.display = ""
        self._begin(self._drafting(settings))

    def _drafting(self, s: Settings) -> Iterator[None]:
        cheap = {k: min(v, getattr(s, k)) for k, v in PRESETS["draft"].items()}
        for i, slot in enumerate(self.sheet.children):
            seed = self._draft_seeds[i] = (s.seed + i) % 2**32
            self._say(f"draft {i + 1} of {DRAFTS} …")
            run = Run(self.pair, s.replace(seed=seed, include=s.include[:1], **cheap))
            while not run.done:
                run.step()
                yield
            picture, pick = slot.children
            picture.value, pick.description = jpeg(run.image, 140), f"seed {seed}"
            slot.layout.display = ""
        self._say("click a draft's seed to paint it in full")

    def _promote(self, i: int) -> None:
        self._set(seed=self._draft_seeds[i])
        self.start()

    # -- files

    def export(self) -> None:
        """Write the chosen kind of file and offer it for download."""
        if self.run is None or self.run.image is None:
            raise ValueError("nothing to export yet: press Run first")
        kind = self.kind.value
        path = free_path(self.folder, f"picture.{kind.lower()}")
        if kind == "PNG":
            newest = self.back.value == self.back.max  # else the one under the slider
            frame = self.run.last if newest else self.run.frames[self.back.value]
            save_png(resized(frame.image, self.side.value), path, self.run.recipe(frame))
        else:
            runs = [t.run for t in self.ticked] or [self.run]
            moving = self.motion.value == "morph"
            images = list(morph(runs)) if moving else [f.image for f in self.run.frames]
            (save_gif if kind == "GIF" else save_mp4)(
                [resized(image, self.side.value) for image in images],
                path,
                self.run.recipe(),
                fps=self.fps.value,
                boomerang=self.boomerang.value,
                progress=self._count,
            )
        self._say(f"written: {path.resolve()} ({path.stat().st_size / 1e6:.1f} MB)")
        self._offer(path)

    def _count(self, done: int, of: int) -> None:
        self.progress.max, self.progress.value = of, done
        self.progress.layout.display = "none" if done == of else ""

    def _offer(self, path: Path) -> None:
        self._written = path
        if "google.colab" in sys.modules:
            self.download.description = f"Download {path.name}"
            self.download.layout.display = ""
        else:
            kind = mimetypes.guess_type(path.name)[0]
            data = base64.b64encode(path.read_bytes()).decode()
            self.link.value = (
                f'<a download="{path.name}" href="data:{kind};base64,{data}">'
                f"download {path.name}</a>"
            )

    def _download(self) -> None:
        from google.colab import files

        files.download(str(self._written))

    def _restore(self) -> None:
        """Set every control from the recipe in an uploaded file."""
        file = uploaded(self.upload.value)
        if file is None:  # the front-end emptied it
            return
        name, content = file
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            settings, pair = open_recipe(path), read_recipe(path)["pair"]
        self._set(**dataclasses.asdict(settings))
        known = pair in self.pair_name.options
        self.pair_name.value = pair if known else self.pair.name
        missing = "" if known else f"; it was painted with a pair that is not here: {pair}"
        self._say(f"controls restored from {name}: press Run{missing}")

    @staticmethod
    def _saved_at() -> Path:
        drive = Path("/content/drive/MyDrive")
        folder = drive if os.access(drive, os.W_OK) else cache_folder()
        return folder / "vqclip_nb_last_run.safetensors"

    def _save(self) -> None:
        """Keep the run for a session that is cut off; a failure is said and painting goes on."""
        began = time.monotonic()
        try:
            self.run.save(self._saved_at())
        except Exception as e:  # a full disk, say: safetensors has an error of its own for it
            log.warning("the session cannot be saved", exc_info=True)
            self._say(f"the session cannot be saved: {e}", colour="#a60")
        took = time.monotonic() - began
        self._save_due = time.monotonic() + max(SAVE_EVERY, SHARE * took)

    def _offer_resume(self) -> None:
        try:
            path = self._saved_at()
            run = Run.resume(path, self.pair) if path.exists() else None
        except Exception as e:  # an old or foreign file must not keep the Studio from opening
            log.warning("the last session cannot be continued", exc_info=True)
            self._say(f"the last session cannot be continued: {e}", colour="#a60")
            return
        if run is None or run.done:
            return
        when = time.strftime("%d %b %H:%M", time.localtime(path.stat().st_mtime))

        def go_on() -> None:
            self.offer.children = []
            self._set(**dataclasses.asdict(run.settings))
            self._adopt(run, f"from {when}")
            self._begin(self._painting())

        button = self._button(f"Continue the run of {when}", "it was cut off", go_on)
        button.layout.width = "auto"
        self.offer.children = [button]
