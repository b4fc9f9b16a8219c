"""The Studio: its parts put together."""

import os
import secrets
import tempfile
import weakref
from functools import partial
from pathlib import Path

import ipywidgets as w

from ..images import open_image
from ..loading import load_pair, pair_at_once
from ..models.pair import Pair
from ..recipe import open_recipe, read_recipe
from ..run import Run
from ..settings import Settings
from ..show import Figure, Live
from .autosave import Autosave, kept_folder
from .callbacks import Callbacks, Ticker, running_cell
from .chips import FIRST, Chips, shape_chooser
from .controller import Controller, enable
from .controls import PROMPTS, Controls
from .exporter import Exporter, Gallery
from .layout import lay_out
from .looks import Looks, StartPicker
from .pairs import Pairs
from .visit import Visit
from .widgets import on_enter, set_class, widgets_of

SHOWN: "weakref.WeakSet[Studio]" = weakref.WeakSet()
PUBLIC_KEEP = 100  # pictures in a visitor's gallery, on a server of somebody else's


class Studio(w.VBox):
    """Widgets around a `Run`: type, watch, steer, go back, export.

    pair: or the name of one; where that must be downloaded, the emoji pair paints until it is here.
    settings: what the controls show first. folder: where exported files go. keep: how many
    pictures the gallery keeps; None: all, and `PUBLIC_KEEP` where strangers use it. public: they
    do, so pictures are uploaded and never named by a path, and all that is kept is in a folder of
    the visitor's own (`Visit`); None: where Voilà serves it.
    """

    def __init__(
        self,
        pair: Pair | str,
        settings: Settings | None = None,
        *,
        folder: str | Path = ".",
        keep: int | None = None,
        public: bool | None = None,
    ) -> None:
        if public is None:
            public = any(name.startswith("VOILA_") for name in os.environ)
        cell, _ = self.cell = running_cell()
        for before in [s for s in SHOWN if cell and s.cell[0] == cell and s.cell != self.cell]:
            before.leave()
        SHOWN.add(self)
        wanted = ""
        if isinstance(pair, str):
            pair, wanted = (load_pair(pair), "") if public else pair_at_once(pair)
        self.calls = calls = Callbacks(public=public)
        self.messages, self.ticker = calls.messages, Ticker(calls)
        first = settings or Settings(include=FIRST)
        self.controls = controls = Controls(pair, first, calls, self.ticker)
        if public:
            self.visit = Visit(self)
            kept = folder = self.visit.folder
            keep = PUBLIC_KEEP if keep is None else keep
        else:
            kept = kept_folder(self.messages)
        self.exporter = Exporter(calls, Path(folder))
        self.gallery = Gallery(calls, kept / "gallery", self._open_kept, keep)
        self.autosave = Autosave(kept / "sessions", self.messages)
        self.controller = c = Controller(controls, self.autosave, self.gallery, self.exporter)
        self.preview, self.queue = c.preview, c.queue
        self.history, self.drafts = c.history, c.drafts
        self.chips, self.looks = Chips(controls), Looks(controls)
        self.start_picker, self.shape = StartPicker(controls), shape_chooser(controls)
        self.pairs = Pairs(controls, self._start)
        help = "set the controls as they were for an exported picture"
        how = ("restore from a file", help, ".png,.gif,.mp4", "vq-restore")
        self.upload = calls.upload(*how, self._restore_upload)
        self.begun: Run | None = None  # by the notebook itself
        acts = {
            "Run": ("start a picture with these controls", self._start),
            "Run again": ("from the first step, with the controls as they are", self._start),
            "Pause": ("stop for now; press again to continue", c.pause),
            "Step": ("one optimisation step", c.step),
            "Stop": ("end this try", c.stop),
            "Drafts": ("six quick pictures to choose from", c.draft),
            "More like this": (
                "six others that start from this picture",
                lambda: c.draft(self.preview.frame.image),
            ),
            "Continue from here": ("a new try from this picture, with these controls", c.branch),
            "Loosen now": (
                "let the prompt undo what is painted, as far as the number says",
                controls.loosen,
            ),
            "Dice": ("another seed", lambda: controls.set(seed=secrets.randbelow(10_000))),
            "Add to the queue": ("paint these after this picture", c.enqueue),
            "Export": ("write the file", self._export),
        }
        self.buttons = {name: calls.button(name, *act) for name, act in acts.items()}
        self.buttons["Run"].add_class("vq-run").button_style = "primary"
        calls.failed, calls.after = c.end, partial(enable, self.buttons, c)
        back = self.preview.back
        back.observe(lambda _: self.messages.say("back", back.wrong(), "error"), "value")
        calls.on(back, c.look_back)
        full = self.preview.full
        calls.on(full, lambda: set_class(self, "vq-full", full.value))
        calls.on(controls.preset, self._set_preset)
        for name in ("init_image", "height", "width"):
            calls.on(controls[name], self._show_start)
        controls.entered.observe(lambda _: calls.act(self._enter), "value")
        on_enter(controls["include"], lambda: calls.act(self._start))
        unseen = [self.ticker.clock.box, *([self.visit.box] if public else [])]
        super().__init__([*lay_out(self), *unseen])
        self.add_class("vq-studio")
        c.offer_unfinished()
        controls.check()
        calls.after()
        if wanted:
            self.pairs.download(wanted)

    def leave(self) -> None:
        """Pause, and take all widgets from the page: its cell is run once more, and what nobody
        sees would go on painting, and make the page slow to load."""
        SHOWN.discard(self)
        with self.calls.lock:
            self.controller.end()
        ours = widgets_of(self) - {self, self.layout}  # another cell may hold the Studio itself
        self.children = ()
        for widget in ours:
            widget.close()

    # -- what notebooks use

    def paint(self) -> Run:
        """Paint to the end in one blocking call and return the run.

        Pause, Stop or an interrupt end it early and keep everything made so far; errors are raised.
        """

        def begin() -> None:
            self.start()
            self.messages.say("now", "Painting; the controls answer when it is finished.")

        try:
            self.ticker.to_the_end(begin)
        except KeyboardInterrupt:
            self.controller.stop()
        except Exception as e:
            self.calls.fail(e)
            raise
        finally:
            self.calls.after()
        return self.run

    def start(self) -> None:
        """Start a new picture with the controls as they are, as the Run button does."""
        with self.calls.lock:
            self._start()
            self.begun = self.run

    @property
    def run(self) -> Run | None:
        """The run that is shown and steered; None before the first."""
        return self.controls.run

    @property
    def figure(self) -> Figure:
        """The picture and its curves as they are now, to stay in the notebook."""
        if self.run is None or not self.run.frames:
            raise ValueError("nothing to show yet: press Run or call paint() first")
        return Live(self.run).update(self.run.frames[-1])

    @property
    def settings(self) -> Settings:
        """The controls as checked `Settings`; ValueError says what is wrong."""
        return self.controls.settings

    # -- what the controls and buttons call

    def _start(self) -> None:
        pair = self.pairs.load()
        if pair is not self.controls.pair:
            self.controls.follow(pair)
            for part in (self.chips, self.start_picker, self.looks):
                part.follow()
            self.controls.check()
        self.controller.start()

    def _enter(self) -> None:
        """Enter in the prompt: its text comes with the key, behind a number that makes it new."""
        if self.controls.put(include=self.controls.entered.value.partition(" ")[2]):
            self._start()

    def _show_start(self) -> None:
        """Another picture to start from, shown as it will be used; what is painted stays in
        sight."""
        image = self.start_picker.own.image
        if image and not self.ticker.playing:
            self.controller.leave_drafts()
            self.preview.show_other(image, "the next picture starts from this")

    def _set_preset(self) -> None:
        name = self.controls.preset.value
        keep = (*PROMPTS, "seed", "init_image", "style_image", "palette", "attributes")
        preset = Settings.preset(name, **{n: self.controls.value(n) for n in keep})
        self.controls.put(**vars(preset))
        self.messages.say("now", f"Preset “{name}”: press Run.")

    def _export(self) -> None:
        """Write the chosen kind of file and offer it for download."""
        frame = self.preview.frame
        self.exporter.write(self.run, frame, [item.run for item in self.history.ticked])
        self.gallery.add(self.run, frame)

    def _restore(self, path: Path) -> None:
        """Set every control as the recipe in a file of ours says."""
        settings, pair = open_recipe(path), read_recipe(path).get("pair")
        known = self.pairs.choose(pair)
        self.controls.put(**vars(settings))
        missing = "" if known else f" It was painted with a pair that is not here: {pair}."
        self.messages.say("now", f"The controls are as they were. Press Run.{missing}")

    def _open_kept(self, path: Path) -> None:
        """Show a picture of the gallery, and set the controls as they were for it."""
        self._restore(path)
        if self.ticker.playing:
            self.controller.pause()
        self.controller.leave_drafts()
        self.preview.show_other(open_image(path), "from the gallery")

    def _restore_upload(self, name: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            try:
                self._restore(path)
            except ValueError as e:  # not where we put it for a moment
                raise ValueError(str(e).replace(str(path), name)) from e
