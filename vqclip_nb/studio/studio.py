"""The Studio: its parts put together."""

from __future__ import annotations

import dataclasses
import secrets
import tempfile
from pathlib import Path

import ipywidgets as w

from ..images import open_image
from ..models.pair import Pair
from ..recipe import open_recipe, read_recipe
from ..run import Run
from ..settings import Settings
from ..show import Figure, Live
from .autosave import Autosave, Sessions, kept_folder
from .buttons import Buttons
from .callbacks import Callbacks
from .chips import EXAMPLES, FIRST, Chips, shape_chooser, size_of
from .compat import on_enter, tip, uploaded
from .controls import PROMPTS, Controls
from .drafts import Drafts
from .exporter import Exporter
from .gallery import Gallery
from .history import History
from .layout import lay_out
from .looks import Looks
from .messages import Messages
from .offers import Offers
from .painter import Painter
from .pairs import PairChoice
from .player import Player
from .queue import Queue
from .stage import Stage
from .start import StartPicture
from .steering import Steering


class Studio(w.VBox):
    """Widgets around a `Run`: type, watch, steer, go back, export.

    settings: what the controls show first. folder: where exported files go. keep: how many
    pictures the gallery keeps; None: all.
    """

    def __init__(
        self,
        pair: Pair,
        settings: Settings | None = None,
        *,
        folder: str | Path = ".",
        keep: int | None = None,
    ) -> None:
        self.messages = Messages()
        self.calls = calls = Callbacks(self.messages)
        self.controls = Controls(pair, settings or Settings(include=FIRST), calls)
        self.steering = Steering(self.controls, calls, self.messages)
        self.player, self.stage, self.queue = Player(calls), Stage(calls), Queue(calls)
        self.history = History(calls, lambda item: self.painter.reopen(item))
        self.drafts = Drafts(
            calls, lambda run: self.painter.pick(run), lambda: self.painter.leave_drafts()
        )
        self.exporter = Exporter(calls, Path(folder))
        kept = kept_folder(self.messages)
        self.gallery = Gallery(calls, kept / "gallery", self._open_kept, keep)
        self.painter = Painter(
            pair,
            controls=self.controls,
            steering=self.steering,
            player=self.player,
            stage=self.stage,
            history=self.history,
            drafts=self.drafts,
            queue=self.queue,
            autosave=Autosave(Sessions(kept / "sessions"), self.gallery, self.messages),
            messages=self.messages,
        )
        self.chips = Chips(pair, calls, self.controls["include"], self.take_prompt)
        self.start_picture = StartPicture(pair, self.controls, self.steering)
        self.looks = Looks(pair, self.controls, self.steering)
        self.offers = Offers(calls, self.painter)
        self.buttons = Buttons(self)
        self._make_choices()
        calls.failed, calls.after = self.player.end, self.buttons.enable
        calls.on(self.stage.back, self._look_back)
        self.stage.back.observe(
            lambda _: self.messages.say("back", self.stage.wrong(), "error"), "value"
        )
        calls.on(self.stage.full, self._fill)
        calls.on(self.controls.preset, self._set_preset)
        on_enter(self.controls["include"], lambda: calls.act(self.start))
        super().__init__(lay_out(self))
        self.add_class("vq-studio")
        self.offers.look()
        self.buttons.enable()

    # -- what notebooks use

    def paint(self) -> Run:
        """Paint to the end in one blocking call (Run all, headless runs) and return the run.

        Pause, Stop or an interrupt end it early and keep everything made so far; errors are raised.
        """
        try:
            with self.calls.lock, self.calls.listening():
                self.start()
                self.messages.say("now", "Painting; the controls answer when it is finished.")
            self.player.to_the_end()
        except KeyboardInterrupt:
            self.painter.stop()
        except Exception as e:
            self.calls.fail(e)
            raise
        finally:
            self.buttons.enable()
        return self.painter.run

    @property
    def run(self) -> Run | None:
        """The run that is shown and steered; None before the first."""
        return self.painter.run

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

    def _make_choices(self) -> None:
        calls = self.calls
        self.examples = [
            calls.button(name, text, lambda text=text: self.take_prompt(text))
            for name, text in EXAMPLES.items()
        ]
        for example in self.examples:
            example.add_class("vq-chip")
        self.pairs = PairChoice(self.painter.pair, calls)
        self.shape = shape_chooser(calls, self._set_shape)
        self.upload = w.FileUpload(accept=".png,.gif,.mp4", description="restore from a file")
        for name in ("vq-button", "vq-upload", "vq-restore"):
            self.upload.add_class(name)
        tip(self.upload, "set the controls as they were for an exported picture")
        calls.on(self.upload, self._restore_upload)

    def start(self) -> None:
        """A new picture with the controls as they are."""
        pair = self.pairs.load()
        if pair is None:
            return
        if pair is not self.painter.pair:
            self.painter.pair = pair
            for part in (self.controls, self.chips, self.start_picture, self.looks):
                part.follow(pair)
            self.steering.check()
        self.painter.start()

    def take_prompt(self, prompt: str) -> None:
        """Another prompt, as if it had been typed: a run that is going on follows."""
        self.controls.set(include=[prompt, *self.controls.value("include")[1:]])
        self.steering.take(("include",))

    def roll(self) -> None:
        """Another seed."""
        self.controls.set(seed=secrets.randbelow(10_000))
        self.steering.changed("seed")

    def enqueue(self) -> None:
        """Let the typed prompts wait for their turn; with nothing going on it comes at once."""
        self.queue.add()
        if self.player.job is None and (self.run is None or self.run.done):
            self.painter.next()

    def _set_shape(self, shape: str) -> None:
        pair = self.painter.pair
        height, width = size_of(shape, pair.facts.size, pair.vqgan.downsample_factor)
        self.controls.set(height=height, width=width)
        self.steering.changed("height")

    def _set_preset(self) -> None:
        name = self.controls.preset.value
        keep = (*PROMPTS, "seed", "init_image", "style_image", "palette", "attributes")
        preset = Settings.preset(name, **{n: self.controls.value(n) for n in keep})
        self.controls.set(**dataclasses.asdict(preset))
        self.steering.check()
        self.messages.say("now", f"Preset “{name}”: press Run.")

    def _look_back(self) -> None:
        if self.run is not None and not self.stage.wrong():
            self.player.play(False)
            self.painter.leave_drafts()
            self.stage.look_back()

    def _fill(self) -> None:
        (self.add_class if self.stage.full.value else self.remove_class)("vq-full")

    def export(self) -> None:
        """Write the chosen kind of file and offer it for download."""
        if self.run is None or self.run.image is None:
            raise ValueError("Nothing to export yet: press Run first.")
        frame = self.stage.frame
        ticked = [item.run for item in self.history.ticked]
        self.exporter.write(self.run, frame, ticked)
        self.painter.autosave.keep(self.run, frame)

    def restore(self, path: Path) -> None:
        """Set every control as the recipe in a file of ours says."""
        settings, pair = open_recipe(path), read_recipe(path).get("pair")
        known = self.pairs.choose(pair)
        self.controls.set(**dataclasses.asdict(settings))
        self.steering.check()
        missing = "" if known else f" It was painted with a pair that is not here: {pair}."
        self.messages.say("now", f"The controls are as they were. Press Run.{missing}")

    def _open_kept(self, path: Path) -> None:
        """Show a picture of the gallery, and set the controls as they were for it."""
        self.restore(path)
        if self.player.playing:
            self.painter.pause()
        self.painter.leave_drafts()
        self.stage.show_other(open_image(path), "from the gallery")

    def _restore_upload(self) -> None:
        file = uploaded(self.upload.value)
        if file is None:  # the front-end emptied it
            return
        name, content = file
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            try:
                self.restore(path)
            except ValueError as e:  # not where we put it for a moment
                raise ValueError(str(e).replace(str(path), name)) from e
