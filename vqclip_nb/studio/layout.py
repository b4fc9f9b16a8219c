"""Where everything stands: prompt and Run above, the picture first, its controls beside it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as w

from ..settings import KNOBS, label
from .controls import PROMPTS, with_slider
from .style import style_sheet

if TYPE_CHECKING:
    from .studio import Studio

MAIN = ("total_iter", "learning_rate")
BESIDE = ("seed", "loosen", "init_image", "style_image")  # these have a place of their own
REGIONS = ("regions", "region_weight")
LOOKS = ("attributes", "palette", "palette_weight", "style_image_weight")
STARTS = ("start", "start_strength", "keep_edges", "prior")


def lay_out(studio: Studio) -> list[w.Widget]:
    """The Studio's children."""
    c, b = studio.controls, studio.buttons
    return [
        style_sheet(),
        studio.offers.box,
        _line(
            c["include"],
            b["Run"],
            _line(b["Pause"], b["Step"], b["Stop"], name="vq-buttons"),
            name="vq-ask",
        ),
        _line(*studio.examples, name="vq-chips"),
        studio.messages.box,
        _line(_stage(studio), _side(studio), name="vq-columns"),
        studio.history.box,
        studio.history.compared,
        _drawers(studio),
        studio.player.timer.box,
    ]


def _stage(studio: Studio) -> w.VBox:
    stage, b = studio.stage, studio.buttons
    buttons = (b[n] for n in ("Drafts", "More like this", "Continue from here"))
    return _column(
        _line(stage.bar, stage.status, name="vq-progress"),
        stage.picture,
        studio.drafts.box,
        _line(*buttons, stage.full, name="vq-buttons"),
        stage.way_back,
        name="vq-stage",
    )


def _side(studio: Studio) -> w.VBox:
    c, b, e = studio.controls, studio.buttons, studio.exporter
    return _column(
        studio.chips.box,
        c["exclude"],
        c["extras"],
        *(with_slider(n, c[n]) for n in MAIN),
        _line(c["seed"], b["Dice"], name="vq-row"),
        studio.shape,
        _line(c["loosen"], b["Loosen now"], name="vq-row"),
        _title("save"),
        _line(e.kind, b["Export"], name="vq-row"),
        _line(e.motion, e.side, e.fps, e.boomerang, name="vq-pairs"),
        e.bar,
        _line(e.link, e.download, name="vq-buttons"),
        studio.stage.curves,
        name="vq-side",
    )


def _drawers(studio: Studio) -> w.Accordion:
    c = studio.controls
    rest = [n for n in c if n not in (*PROMPTS, *MAIN, *BESIDE, *STARTS, *REGIONS, *LOOKS)]
    starts = _column(
        studio.start_picture.box, *(with_slider(n, c[n]) for n in STARTS), name="vq-drawer"
    )
    looks = _column(
        *(row.box for row in studio.looks.rows),
        c["palette"],
        studio.looks.palette,
        with_slider("palette_weight", c["palette_weight"]),
        studio.looks.style.box,
        with_slider("style_image_weight", c["style_image_weight"]),
        name="vq-drawer",
    )
    regions = _column(*(with_slider(n, c[n]) for n in REGIONS), name="vq-drawer")
    queue = _column(
        studio.queue.text,
        _line(studio.buttons["Add to the queue"], name="vq-buttons"),
        studio.queue.box,
        name="vq-drawer",
    )
    more = _column(
        studio.pairs.control,
        c.preset,
        c.more,
        *(with_slider(n, c[n]) for n in rest),
        _line(studio.upload, name="vq-buttons"),
        name="vq-drawer",
    )
    drawers = {
        "Gallery": studio.gallery.box,
        "Queue": queue,
        "Colours and style": looks,
        "Start picture": starts,
        "Regions": regions,
        "More controls": more,
        "What each control does": w.HTML(_help()),
    }
    accordion = w.Accordion(children=list(drawers.values()), selected_index=None)
    for i, name in enumerate(drawers):
        accordion.set_title(i, name)
    return accordion


def _help() -> str:
    rows = (
        f"<dt>{html.escape(label(name))}</dt><dd>{html.escape(k.help)}</dd>"
        for name, k in KNOBS.items()
    )
    return f"<dl class='vq-help'>{''.join(rows)}</dl>"


def _line(*widgets: w.Widget, name: str) -> w.HBox:
    box = w.HBox(widgets)
    box.add_class(name)
    return box


def _column(*widgets: w.Widget, name: str) -> w.VBox:
    box = w.VBox(widgets)
    box.add_class(name)
    return box


def _title(text: str) -> w.HTML:
    return w.HTML(f"<span class='vq-title'>{text}</span>")
