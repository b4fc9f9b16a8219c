"""What was painted, as drafts to choose from or as tries to compare, and prompts that wait."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import ipywidgets as w
from PIL import Image

from ..images import to_data_url, to_tensor
from ..models.pair import Pair
from ..reading import Reading, readable
from ..regions import parse_region
from ..run import Run
from ..settings import PRESETS, Settings
from ..show import contact_sheet
from .callbacks import Callbacks
from .controls import lines, value_in_words
from .widgets import BLANK, SIDE, Offer, Offers, Tile, column, jpeg, labelled, row, set_shown, tip

DRAFTS, FORMED = 6, 3  # and those of them that form from noise, where a thing can
LIKE = 0.15  # start strength of "more like this"
SHOW_EVERY = 0.3  # seconds between two pictures of a draft that forms
LOOKED_AT, APART = 9, 0.03  # drawings, and their mean distance of 1 to count as other ones
LONGEST = 50  # prompts that may wait


def differences(settings: Settings, first: Settings) -> str:
    """The settings in which one differs from another, in words."""
    now = vars(settings).items()
    return ", ".join(value_in_words(n, v, 60) for n, v in now if v != getattr(first, n))


class Try(w.VBox):
    """A run with its small picture, its name, and a box to tick for comparing."""

    def __init__(self, run: Run, name: str, calls: Callbacks, call: Callable[[], None]) -> None:
        self.run, self.tile = run, Tile(calls, call)
        self.name = w.Text(value=name, description="name", style={"description_width": "initial"})
        w.dlink((self.name, "value"), (self.tile.button, "description"))
        self.compare = w.Checkbox(description="compare", indent=False)
        tip(self.name, "name of this try")
        tip(self.compare, "tick two or more to see them side by side, or to morph through them")
        super().__init__([self.tile, self.name, self.compare])
        self.add_class("vq-try")


class History:
    """The tries, in the order they were begun; `compared` shows the ticked ones side by side.

    reopen: called with the try whose picture was clicked.
    """

    def __init__(self, calls: Callbacks, reopen: Callable[[Try], None]) -> None:
        self.calls, self._reopen = calls, reopen
        self.items: list[Try] = []
        self.box = row(css="vq-tiles")
        self.compared = w.Image(format="png").add_class("vq-compared")
        set_shown(self.compared, False)

    def add(self, run: Run) -> None:
        """Take a run in, unless it is here."""
        if all(item.run is not run for item in self.items):
            name = f"try {len(self.items) + 1}"
            item = Try(run, name, self.calls, lambda: self._reopen(item))
            for control in (item.compare, item.name):
                self.calls.on(control, self.show_compared)
            self.items.append(item)
        self.show()

    def show(self) -> None:
        """The newest picture of every run that has one."""
        seen = [item for item in self.items if item.run.image is not None]
        for item in seen:
            prompt = readable(item.run.settings.include[-1])
            item.tile.show(item.run.image, item.name.value, f"{prompt}: look at it again")
        self.box.children = seen

    @property
    def ticked(self) -> list[Try]:
        return [t for t in self.items if t.compare.value and t.run.image is not None]

    def show_compared(self) -> None:
        """The ticked runs side by side, each with its name and what was set differently."""
        ticked = self.ticked
        set_shown(self.compared, len(ticked) > 1)
        if len(ticked) < 2:
            return
        first = ticked[0].run.settings
        titles = [
            f"{t.name.value}, similarity {t.run.similarity:.3f}\n"
            f"{differences(t.run.settings, first)}"
            for t in ticked
        ]
        sheet = contact_sheet([t.run.image for t in ticked], titles, columns=len(ticked), inches=3)
        self.compared.value = sheet._repr_png_()
        self.compared.layout.max_width = f"{260 * len(ticked)}px"


def draft_settings(
    pair: Pair, settings: Settings, like: Image.Image | None = None
) -> dict[str, Settings]:
    """What each draft paints, by its caption: the first prompt, few steps, a seed of its own.

    First one for each style that the prior knows the thing in, for which the seed chooses. Beyond
    them the seed changes little: then come the library's drawings that can be told apart, then CLIP
    alone. like: a picture that all start from.
    """
    cheap = {k: min(v, getattr(settings, k)) for k, v in PRESETS["draft"].items()}
    first = settings.seed + (like is not None)  # another seed than that of the picture itself
    plain = [
        settings.replace(include=settings.include[:1], seed=(first + i) % 2**32, **cheap)
        for i in range(DRAFTS)
    ]
    changes: list[dict[str, Any]] = [{}] * DRAFTS
    if like is not None:
        changes = [dict(init_image=to_data_url(to_tensor(like)), start_strength=LIKE)] * DRAFTS
    elif settings.start == "prior":  # what it draws can be seen
        changes = [dict(start="prior", total_iter=1, start_strength=1.0)] * DRAFTS
    elif settings.drawn:
        forms = settings.start == "noise"
        forming = [pair.forming(*asked(pair, one)) for one in plain[:FORMED]] if forms else []
        formed = {thing.style for one in forming if one for thing in one.things}
        begun = min(FORMED, len(formed)) or int(forms)
        changes = changes[:begun]
        drawn = dict(start="library", seed=plain[0].seed)  # the seed would choose another drawing
        changes += [drawn | {"drawing": n} for n in _apart(pair, plain[0], formed)]
        changes += [dict(start="noise", prior=0.0, start_strength=1.0)] * DRAFTS
    drafts = [one.replace(**change) for one, change in zip(plain, changes, strict=False)]
    return {
        f"drawing {one.drawing}"
        if one.start == "library" and not one.init_image
        else f"seed {one.seed}": one
        for one in drafts
    }


def _apart(pair: Pair, settings: Settings, formed: set[str]) -> list[int]:
    """Which of the library's drawings for a prompt can be told apart, the one that is set first,
    without those in styles of what forms."""
    numbers, pictures = list[int](), []
    for n in range(settings.drawing, settings.drawing + LOOKED_AT):
        found = pair.start(*asked(pair, settings.replace(start="library", drawing=n)))
        if not found or {d.style for d in found.drawings[:1]} & formed:
            continue
        if all((found.picture - other).abs().mean() > APART for other in pictures):
            numbers.append(n)
            pictures.append(found.picture)
    return numbers


def asked(pair: Pair, settings: Settings) -> tuple[Reading, Settings, tuple[int, int], int]:
    """What a pair's `start` and `forming` take, for the first prompt at the pair's own size."""
    regions = [parse_region(text) for text in settings.regions]
    reading = pair.read(settings.include[0], settings.extras, regions)
    return reading, settings, (pair.size,) * 2, settings.seed


class Drafts:
    """Tiles in the picture's place; a click on one calls `pick` with its run, and "Back to the
    picture" calls `leave`."""

    def __init__(
        self, calls: Callbacks, pick: Callable[[Run], None], leave: Callable[[], None]
    ) -> None:
        self.runs: list[Run] = []
        self.tiles = [Tile(calls, lambda i=i: pick(self.runs[i])) for i in range(DRAFTS)]
        self.back = calls.button("Back to the picture", "leave the drafts", leave)
        self.box = column(row(*self.tiles, css="vq-sheet"), self.back, css="vq-drafts")
        self.hide()

    def hide(self) -> None:
        set_shown(self.box, False)

    @property
    def shown(self) -> bool:
        return self.box.layout.display != "none"

    def paint(
        self, pair: Pair, drafts: Mapping[str, Settings], progress: Callable[[int, int, str], None]
    ) -> Iterator[None]:
        """Paint drafts, by their captions, one after the other, a step at a time."""
        self.runs = []
        for tile in self.tiles:
            tile.button.disabled = True
            tile.show(BLANK, "…", "not painted yet")
        set_shown(self.box)
        for i, (tile, caption) in enumerate(zip(self.tiles, drafts, strict=True)):
            progress(i, DRAFTS, f"draft {i + 1} of {DRAFTS} …")
            run, due = Run(pair, drafts[caption]), time.monotonic()
            while not run.done:
                run.step()
                if time.monotonic() > due:
                    tile.picture.value = jpeg(run.last.preview, SIDE)
                    due = time.monotonic() + SHOW_EVERY
                yield
            self.runs.append(run)
            tile.show(run.image, caption, "paint this one in full")
            tile.button.disabled = False
        progress(DRAFTS, DRAFTS, "Click the draft that you like: it is painted in full.")


class Queue:
    """A list of prompts; each is painted when the picture before it is finished."""

    def __init__(self, calls: Callbacks) -> None:
        self.calls = calls
        self.prompts: list[str] = []
        help = "prompts to paint one after the other, each as a picture of its own"
        how = dict(rows=2, placeholder="one a line")
        self.text = labelled(w.Textarea, "next prompts", help, **how)
        calls.on(self.text, lambda: None)  # the button beside it looks whether there is something
        self.row = Offers(calls, LONGEST, css="vq-chips").add_class("vq-long")

    def add(self) -> None:
        """Let the prompts of the text wait; ValueError if there are none, or too many."""
        added = lines(self.text.value)
        if not added:
            raise ValueError("Type the next prompts first, one a line.")
        if len(self.prompts) + len(added) > LONGEST:
            raise ValueError(f"The queue takes {LONGEST} prompts.")
        self.prompts += added
        with self.calls.quietly():
            self.text.value = ""
        self._show()

    def take(self, i: int = 0) -> str | None:
        """Take a prompt out, the one whose turn it is; None if none waits."""
        prompt = self.prompts.pop(i) if self.prompts else None
        self._show()
        return prompt

    def _show(self) -> None:
        help = "take this prompt out of the queue"
        texts = enumerate(self.prompts)
        self.row.offer([Offer(f"✕ {text[:60]}", help, partial(self.take, i)) for i, text in texts])
