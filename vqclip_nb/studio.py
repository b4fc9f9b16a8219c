"""The widgets: type, watch, steer, go back, export. The only room that imports ipywidgets."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import logging
import math
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w
from PIL import Image

from .export import open_recipe
from .pairs import Pair
from .prompts import unknown_words
from .settings import KNOBS, PRESETS, TYPES, Settings
from .show import Live
from .training import Frame, Run
from .weights import cache_folder

log = logging.getLogger(__name__)

MAIN = ("learning_rate", "total_iter", "activation", "noise_factor")
PROMPTS = ("include", "exclude", "extras")
EXAMPLES = {
    "apple": "a red apple on a white background",
    "sunflower": "a sunflower on a blue background",
    "fire": "a fire on a black background",
}
TICK = 0.15  # seconds of work between two looks at the controls
SAVE_EVERY = 20.0  # seconds between two copies for a session that is cut off
WIDE = w.Layout(width="98%")
LABEL = {"description_width": "110px"}


def make_control(name: str, value: Any, *, size: int) -> w.Widget:
    """The widget of one setting, built from its `Knob`; `size` stands in for an empty picture side."""
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
        control = w.Text(value=value, continuous_update=False, **options)
    elif k.log:
        digits = ".0f" if kind == "int" else ".3g"
        low, high = math.log10(k.low), math.log10(k.high)
        control = w.FloatLogSlider(
            value=value, min=low, max=high, step=0.01, readout_format=digits, **options
        )
    elif kind == "float":
        control = w.FloatSlider(value=value, min=k.low, max=k.high, step=0.01, **options)
    else:
        control = w.BoundedIntText(
            value=size if value is None else value, min=k.low, max=k.high, **options
        )
    tip = "tooltip" if control.has_trait("tooltip") else "description_tooltip"
    setattr(control, tip, k.help)
    return control


def read_control(name: str, value: Any) -> Any:
    """What a control's value means as a setting."""
    if name == "include":
        return [line.strip() for line in value.splitlines() if line.strip()]
    return round(value) if TYPES[name] == "int" else value


def jpeg(image: Image.Image, side: int = 0) -> bytes:
    file = io.BytesIO()
    if side:
        image = image.copy()
        image.thumbnail((side, side))
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


class Studio(w.VBox):
    """Controls around a `Run`.

    A front-end timer asks for work; each tick paints for about `TICK` seconds on the kernel's main
    thread and returns, so that sliders are heard in between. `paint()` does the same in one
    blocking call.
    """

    def __init__(
        self, pair: Pair, settings: Settings | None = None, *, folder: str | Path = "."
    ) -> None:
        self.pair, self.folder = pair, Path(folder)
        self.run: Run | None = None
        self.tries: list[tuple[str, Run]] = []  # every run so far: restarts and branches
        self._lock = threading.RLock()
        self._quiet = False  # controls are being set by us, not by a person
        self._drawn = self._saved = 0.0
        self._live: Live | None = None
        start = settings or Settings(include=EXAMPLES["apple"])
        self.controls = {
            f.name: make_control(f.name, getattr(start, f.name), size=pair.size)
            for f in dataclasses.fields(Settings)
        }
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._guard(self._changed, name), "value")
        self.preset = w.Dropdown(
            options=list(PRESETS), value="default", description="preset", style=LABEL
        )
        self.preset.observe(lambda _: self._guard(self._set_preset), "value")

        self.timer = w.Play(min=0, max=2**31 - 1, interval=100, layout=w.Layout(display="none"))
        self.timer.observe(lambda _: self._guard(self.tick), "value")
        self.buttons = {
            name: self._button(name, tip, call)
            for name, tip, call in (
                ("Run", "start a picture with these controls; earlier tries are kept", self.start),
                ("Pause", "stop for now; Pause again to continue", self.pause),
                ("Step", "one optimisation step", self.step),
                ("Stop", "end this try", self.stop),
                (
                    "6 drafts",
                    "six cheap tries with different seeds; click one to paint it in full",
                    self.drafts,
                ),
            )
        }
        self.picture = w.Image(
            value=jpeg(Image.new("RGB", (384, 384), "lightgray")), format="jpeg", width=384
        )
        self.curves = w.Image(format="png", layout=w.Layout(max_width="640px"))
        self.status, self.message, self.hints = w.HTML(), w.HTML(), w.HTML()
        self.back = w.IntSlider(min=0, max=0, description="go back", style=LABEL, disabled=True)
        self.back.observe(lambda _: self._guard(self._look_back), "value")
        self.go_on = self._button(
            "Continue from here", "branch: the first try is kept", self.branch
        )
        self.strip, self.sheet, self.links = w.HBox(), w.VBox(), w.HTML()
        self.kind = w.Dropdown(options=("GIF", "PNG", "MP4"), description="file", style=LABEL)
        self.fps = w.BoundedFloatText(
            value=10, min=0.1, max=50, description="frames/s", style=LABEL
        )
        self.boomerang = w.Checkbox(value=False, description="boomerang", indent=False)
        self.upload = w.FileUpload(
            accept=".png,.gif,.mp4", multiple=False, description="restore from a file"
        )
        self.upload.observe(lambda _: self._guard(self._restore), "value")
        super().__init__(self._layout())
        self._offer_resume()
        self._show_hints()

    # -- looks
    # -------------------------------------------------------------------------------------------

    def _layout(self) -> list[w.Widget]:
        c = self.controls
        rest = [c[n] for n in c if n not in MAIN + PROMPTS]
        more = w.Accordion(
            children=[w.VBox([self.preset, *rest]), w.HTML(self._help())], selected_index=None
        )
        more.set_title(0, "More controls")
        more.set_title(1, "What each control does")
        examples = w.HBox(
            [
                self._button(name, text, lambda text=text: self._set(include=text))
                for name, text in EXAMPLES.items()
            ]
        )
        left = w.VBox(
            [*(c[n] for n in PROMPTS), self.hints, examples, *(c[n] for n in MAIN),
             w.HBox(list(self.buttons.values())), self.message, more],
            layout=w.Layout(width="55%"),
        )  # fmt: skip
        right = w.VBox(
            [self.picture, self.status, self.back, self.go_on], layout=w.Layout(width="45%")
        )
        export = w.HBox(
            [
                self.kind,
                self.fps,
                self.boomerang,
                self._button("Export", "write the file", self.export),
            ]
        )
        return [
            w.HBox([left, right]),
            self.curves,
            self.strip,
            self.sheet,
            export,
            self.links,
            self.upload,
            self.timer,
        ]

    @staticmethod
    def _help() -> str:
        rows = (
            f"<b>{name.replace('_', ' ')}</b>: {html.escape(k.help)}" for name, k in KNOBS.items()
        )
        return "<br>".join(rows)

    def _button(self, name: str, tip: str, call: Callable[[], None]) -> w.Button:
        button = w.Button(description=name, tooltip=tip)
        button.on_click(lambda _: self._guard(call))
        return button

    def _say(self, text: str, *, colour: str = "#555") -> None:
        self.message.value = (
            f'<div role="status" style="color:{colour}">{html.escape(text)}</div>' if text else ""
        )

    def _guard(self, call: Callable[..., None], *args: Any) -> None:
        """Run a callback under the lock; whatever goes wrong is shown in the Studio, never lost."""
        with self._lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                call(*args)
            except Exception as e:
                self._play(False)
                log.exception("in the Studio")
                self._say(f"{type(e).__name__}: {e}", colour="#b00")
        for warning in caught:
            self._say(str(warning.message), colour="#a60")

    # -- controls
    # ----------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The controls as checked `Settings`; ValueError names what is wrong."""
        return Settings(**{n: read_control(n, c.value) for n, c in self.controls.items()})

    def _set(self, **values: Any) -> None:
        self._quiet = True
        try:
            for name, value in values.items():
                if name == "include":
                    value = "\n".join([value] if isinstance(value, str) else value)
                self.controls[name].value = self.pair.size if value is None else value
        finally:
            self._quiet = False
        if self.run and not self.run.done:
            live = {n: read_control(n, self.controls[n].value) for n in values if KNOBS[n].live}
            self.run.change(**live)
        self._show_hints()

    def _set_preset(self) -> None:
        include = self.settings.include
        self._set(**dataclasses.asdict(Settings.preset(self.preset.value, include=include)))
        self._say(f"preset {self.preset.value!r}: press Run")

    def _changed(self, name: str) -> None:
        if self._quiet:
            return
        value = read_control(name, self.controls[name].value)
        if name in PROMPTS:
            self._show_hints()
        self.settings.replace(**{name: value})  # refuse nonsense before anything moves
        if self.run is None or self.run.done:
            return
        if KNOBS[name].live:
            self.run.change(**{name: value})
            self._say(f"{name.replace('_', ' ')} takes effect with the next step")
        else:
            self._say(
                f"{name.replace('_', ' ')} cannot change while a picture forms: press Run to restart with it"
            )

    def _show_hints(self) -> None:
        found: dict[str, list[str]] = {}
        for name in PROMPTS:
            for line in self.controls[name].value.splitlines():
                if line.strip():
                    found.update(unknown_words(self.pair, line))
        parts = [
            f"<b>{html.escape(word)}</b> is not known"
            + (f", near it: {html.escape(', '.join(near))}" if near else "")
            for word, near in found.items()
        ]
        self.hints.value = (
            f'<div role="status" style="color:#a60">{"; ".join(parts)}</div>' if parts else ""
        )

    # -- painting
    # ----------------------------------------------------------------------------------------

    def _play(self, on: bool) -> None:
        setattr(self.timer, "playing" if self.timer.has_trait("playing") else "_playing", on)
        self.buttons["Pause"].description = (
            "Pause" if on or not self.run or self.run.done else "Continue"
        )

    @property
    def playing(self) -> bool:
        return getattr(self.timer, "playing" if self.timer.has_trait("playing") else "_playing")

    def _adopt(self, run: Run, name: str, *, new: bool = True) -> None:
        """Make `run` the one that is shown and steered."""
        self.run, self._live, self._drawn = run, Live(run), 0.0
        if new:
            self.tries.append((name, run))
        self._show_strip()
        if run.image is not None:
            self._show(run.frames[-1] if run.frames else None, force=True)

    def start(self) -> None:
        """A new picture with the controls as they are."""
        self._say("")
        self._adopt(Run(self.pair, self.settings), f"try {len(self.tries) + 1}")
        self._play(True)

    def pause(self) -> None:
        self._play(not self.playing and self.run is not None and not self.run.done)

    def stop(self) -> None:
        self._play(False)
        if self.run:
            self._show(None, force=True)
            self._say(
                f"stopped after {len(self.run.history)} steps; go back, branch, export or Run again"
            )

    def step(self) -> None:
        """One optimisation step by hand."""
        self._play(False)
        if self.run is None or self.run.done:
            self._adopt(Run(self.pair, self.settings), f"try {len(self.tries) + 1}")
        self._show(self.run.step(), force=True)

    def tick(self) -> None:
        """Paint for `TICK` seconds, show, and save now and then."""
        if not self.playing or self.run is None:
            return
        until, frame = time.perf_counter() + TICK, None
        while not self.run.done and time.perf_counter() < until:
            frame = self.run.step()
        self._show(frame, force=self.run.done)
        if time.monotonic() - self._saved > SAVE_EVERY or self.run.done:
            self.run.save(self._saved_at())
            self._saved = time.monotonic()
        if self.run.done:
            self._play(False)
            self._show_strip()
            self._say("done: go back, branch, export, or change something and Run again")

    def paint(self) -> Run:
        """Paint to the end in one blocking call (Run all, headless runs) and return the run.

        An interrupt stops it and keeps everything made so far; errors are raised.
        """
        with self._lock:
            self._adopt(Run(self.pair, self.settings), f"try {len(self.tries) + 1}")
            try:
                for frame in self.run:
                    self._show(frame, force=self.run.done)
            except KeyboardInterrupt:
                self.stop()
            self._show_strip()
            return self.run

    def _show(self, frame: Frame | None, *, force: bool = False) -> None:
        """The picture now; the figure only as often as keeps display under a twentieth of the time."""
        run = self.run
        image = frame.image if frame else run.image
        if image is None:
            return
        self.picture.value = jpeg(image)
        at, total = len(run.history), run.settings.total_iter * len(run.settings.include)
        self.status.value = (
            f"step {at} of {total} · loss {run.history[-1][2]:.3f} · similarity {run.similarity:.3f} · "
            f"{run.seconds_left:.0f} s left" if run.history else "")  # fmt: skip
        self.back.max = max(0, len(run.frames) - 1)
        self.back.disabled = not run.frames
        shown = frame or (run.frames[-1] if run.frames else None)
        began = time.monotonic()
        if shown and (force or began > self._drawn):
            self.curves.value = self._live.update(shown)._repr_png_()
            self._drawn = time.monotonic() + 19 * (time.monotonic() - began)

    # -- going back
    # ---------------------------------------------------------------------------------------

    def _look_back(self) -> None:
        if self.run and self.run.frames and not self.playing:
            frame = self.run.frames[min(self.back.value, len(self.run.frames) - 1)]
            self.picture.value = jpeg(frame.image)
            self.status.value = (
                f"step {frame.iteration} of picture {frame.index + 1} · loss {frame.loss:.3f}"
            )

    def branch(self) -> None:
        """A second try from the frame that the slider shows, with the live controls as they are
        now."""
        if self.run is None or not self.run.frames:
            raise ValueError("nothing to go back to yet: press Run first")
        frame = self.run.frames[min(self.back.value, len(self.run.frames) - 1)]
        live = {n: v for n, v in dataclasses.asdict(self.settings).items() if KNOBS[n].live}
        self._adopt(
            self.run.branch(frame, **live),
            f"try {len(self.tries) + 1}, from step {frame.iteration}",
        )
        self._say(f"a new try from step {frame.iteration}; the first one is kept below")
        self._play(True)

    def _show_strip(self) -> None:
        """Thumbnails of all tries: rename them, click one to look at it again."""
        boxes = []
        for i, (name, run) in enumerate(self.tries):
            if run.image is None:
                continue
            title = w.Text(
                value=name, layout=w.Layout(width="140px"), description="", placeholder="name"
            )
            title.observe(
                lambda c, i=i: self.tries.__setitem__(i, (c["new"], self.tries[i][1])), "value"
            )
            pick = self._button("open", f"look at {name} again", lambda i=i: self._open_try(i))
            pick.layout.width = "140px"
            boxes.append(
                w.VBox([w.Image(value=jpeg(run.image, 140), format="jpeg", width=140), title, pick])
            )
        self.strip.children = boxes

    def _open_try(self, i: int) -> None:
        self._play(False)
        name, run = self.tries[i]
        self._adopt(run, name, new=False)
        self._play(False)
        self._say(
            f"{name}: Continue goes on where it stopped" if not run.done else f"{name} is finished"
        )

    # -- drafts
    # --------------------------------------------------------------------------------------------

    def drafts(self) -> None:
        """Six cheap runs with six seeds; a click promotes one to a full run."""
        self._play(False)
        s = self.settings
        cheap = {k: min(v, getattr(s, k)) for k, v in PRESETS["draft"].items()}
        boxes = []
        for seed in range(s.seed, s.seed + 6):
            self._say(f"draft {seed - s.seed + 1} of 6 …")
            run = Run(self.pair, s.replace(seed=seed, include=s.include[:1], **cheap))
            for _ in run:
                pass
            pick = self._button(
                f"seed {seed}", "paint this one in full", lambda seed=seed: self._promote(seed)
            )
            pick.layout.width = "140px"
            boxes.append(
                w.VBox([w.Image(value=jpeg(run.image, 140), format="jpeg", width=140), pick])
            )
            self.sheet.children = [w.HBox(boxes)]
        self._say("click a draft's seed to paint it in full")

    def _promote(self, seed: int) -> None:
        self._set(seed=seed)
        self.start()

    # -- files
    # ---------------------------------------------------------------------------------------------

    def export(self) -> None:
        """Write the run as the chosen kind of file and offer it for download."""
        if self.run is None:
            raise ValueError("nothing to export yet: press Run first")
        kind, path = self.kind.value, self.folder / f"picture.{self.kind.value.lower()}"
        self._say(f"writing {path} …")
        if kind == "PNG":
            self.run.save_png(path)
        else:
            save = self.run.save_gif if kind == "GIF" else self.run.save_mp4
            save(path, fps=self.fps.value, boomerang=self.boomerang.value)
        self._say(f"written: {path.resolve()} ({path.stat().st_size / 1e6:.1f} MB)")
        if "google.colab" in sys.modules:
            from google.colab import files

            files.download(str(path))
        else:
            mime = {"PNG": "image/png", "GIF": "image/gif", "MP4": "video/mp4"}[kind]
            data = base64.b64encode(path.read_bytes()).decode()
            self.links.value = f'<a download="{path.name}" href="data:{mime};base64,{data}">download {path.name}</a>'

    def _restore(self) -> None:
        """Set every control from the recipe in an uploaded file."""
        value = self.upload.value
        if not value:
            return
        # ipywidgets 7 gives a dict of files by name, 8 a tuple of files.
        name, file = (
            next(iter(value.items())) if isinstance(value, dict) else (value[0]["name"], value[0])
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(name).name
            path.write_bytes(bytes(file["content"]))
            settings = open_recipe(path)
        self._set(**dataclasses.asdict(settings))
        self._say(f"controls restored from {name}: press Run")

    @staticmethod
    def _saved_at() -> Path:
        drive = Path("/content/drive/MyDrive")
        return (
            drive if os.access(drive, os.W_OK) else cache_folder()
        ) / "vqclip_nb_last_run.safetensors"

    def _offer_resume(self) -> None:
        try:
            path = self._saved_at()
            run = Run.resume(path, self.pair) if path.exists() else None
        except Exception as e:  # an old or foreign file must not keep the Studio from opening
            log.warning("the last session cannot be continued: %s", e)
            return
        if run is None or run.done:
            return
        when = time.strftime("%d %b %H:%M", time.localtime(path.stat().st_mtime))

        def go_on() -> None:
            self.sheet.children = []
            self._set(**dataclasses.asdict(run.settings))
            self._adopt(run, f"from {when}")
            self._play(True)

        button = self._button(f"Continue the run of {when}", "it was cut off", go_on)
        button.layout.width = "auto"
        self.sheet.children = [button]
