"""Where everything stands: prompt and Run above, the picture first, its controls beside it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as w

from ..settings import KNOBS, label
from .controls import CARD, PROMPTS, labelled

if TYPE_CHECKING:
    from .studio import Studio

# The drawers; what is in none of them stands under "More".
DRAWERS = {
    "Guidance": ("w1", "w2", "alpha", "beta", "distance", "crop_method", "weight_decay", "prior"),
    "Picture": ("height", "width", "quantize", "ema_decay", "activation_at", "tries"),
    "Performance": ("crops", "precision", "random", "show_step", "show_from"),
}
ELSEWHERE = (*PROMPTS, *CARD, "seed", "loosen", "init_image", "style_image", "attributes")
LOOKS = ("palette", "palette_weight", "style_image_weight")
REGIONS = ("regions", "region_weight")
FOUND = 8  # controls that a search shows at most
STARTS = ("start", "drawing", "start_strength", "keep_edges", "keep_colours")


def lay_out(p: Studio) -> list[w.Widget]:
    """The Studio's children."""
    c, b = p.controls, p.buttons
    return [
        style_sheet(),
        p.resume_buttons.box,
        _line(
            c["include"],
            b["Run"],
            _line(b["Pause"], b["Step"], b["Stop"], name="vq-buttons"),
            c.entered,
            name="vq-ask",
        ),
        _line(c.note("include"), p.messages.box, p.near_words.box, name="vq-notices"),
        _line(_stage(p), _side(p), name="vq-columns"),
        p.history.box,
        p.history.compared,
    ]


def _stage(p: Studio) -> w.VBox:
    preview, b = p.preview, p.buttons
    buttons = (b[n] for n in ("Drafts", "More like this", "Continue from here"))
    return _column(
        _line(preview.bar, preview.status, name="vq-progress"),
        preview.picture,
        p.drafts.box,
        _line(*buttons, preview.full, name="vq-buttons"),
        preview.back,
        p.messages.at["back"],
        p.download.box,
        preview.curves.box,
        name="vq-stage",
    )


def _side(p: Studio) -> w.VBox:
    return _column(
        *(p.controls.field(n) for n in CARD),
        _line(p.messages.at["now"], p.buttons["Run again"], name="vq-now"),
        _drawers(p),
        _search(p),
        name="vq-side",
    )


def _drawers(p: Studio) -> w.Accordion:
    c, b, e = p.controls, p.buttons, p.exporter
    placed = {*ELSEWHERE, *LOOKS, *REGIONS, *STARTS, *(n for ns in DRAWERS.values() for n in ns)}
    looks = [
        *(row.box for row in p.looks.rows),
        c.note("attributes"),
        c.field("palette"),
        p.looks.palette,
        c.field("palette_weight"),
        p.looks.style.box,
        c.note("style_image"),
        c.field("style_image_weight"),
    ]
    helpers = [
        _line(*p.examples, name="vq-chips"),
        p.chips.box,
        c.field("exclude"),
        c.field("extras"),
        c.field("loosen"),
        _line(b["Loosen now"], name="vq-buttons"),
    ]
    save = [
        _line(e.kind, b["Export"], name="vq-row"),
        _line(e.motion, e.side, e.fps, e.boomerang, name="vq-pairs"),
        p.messages.at["export"],
        e.bar,
        _line(e.preview, e.link, e.download, name="vq-buttons"),
    ]
    fields = {title: [c.field(n) for n in names] for title, names in DRAWERS.items()}
    fields["Picture"][:0] = [p.shape, _line(c.field("seed"), b["Dice"], name="vq-row")]
    queue = [p.queue.text, _line(b["Add to the queue"], name="vq-buttons"), p.queue.row.box]
    more = [p.pairs.control, c.preset, c.more, _line(p.upload, name="vq-buttons")]
    drawers = {
        "Prompt helpers": helpers,
        "Look": looks,
        "Save": save,
        "Start": [p.start_picker.box, c.note("init_image"), *(c.field(n) for n in STARTS)],
        "Regions": [c.field(n) for n in REGIONS],
        **fields,
        "Queue": queue,
        "Gallery": [p.gallery.box],
        "More": [*more, *(c.field(n) for n in c if n not in placed)],
        "What each control does": [w.HTML(_help())],
    }
    accordion = w.Accordion(
        children=[_column(*parts, name="vq-drawer") for parts in drawers.values()],
        selected_index=None,
    )
    for i, name in enumerate(drawers):
        accordion.set_title(i, name)
    return accordion


def _search(p: Studio) -> w.VBox:
    """A text that brings the controls whose name or help has it, from whichever drawer."""
    c, found = p.controls, _column(name="vq-drawer")
    text = labelled(w.Text(description="find a control"), "a part of its name or of its help")
    names = [n for n in c if n not in ("include", "init_image", "style_image", "attributes")]

    def show() -> None:
        wanted = text.value.strip().lower()
        fits = [n for n in names if wanted and wanted in f"{label(n)} {KNOBS[n].help}".lower()]
        fits.sort(key=lambda n: wanted not in label(n).lower())  # by name first
        found.children = [c.field(n) for n in fits[:FOUND]]

    p.calls.on(text, show)
    return _column(text, found, name="vq-search")


def _help() -> str:
    rows = (
        f"<dt>{html.escape(label(name))}</dt><dd>{html.escape(k.help)}</dd>"
        for name, k in KNOBS.items()
    )
    return f"<dl class='vq-help'>{''.join(rows)}</dl>"


def style_sheet() -> w.HTML:
    """The style, and the script that does what ipywidgets leaves out: Enter with the whole prompt,
    drawers by the keyboard, names for screen readers, the picture of a new Studio in sight."""
    here = Path(__file__).parent
    css, script = ((here / f"studio.{kind}").read_text("utf8") for kind in ("css", "js"))
    sheet = w.HTML(f'<style>{css}</style><img alt="" src="data:," onerror="{html.escape(script)}">')
    sheet.layout.display = "none"
    return sheet


def _line(*widgets: w.Widget, name: str) -> w.HBox:
    box = w.HBox(widgets)
    box.add_class(name)
    return box


def _column(*widgets: w.Widget, name: str) -> w.VBox:
    box = w.VBox(widgets)
    box.add_class(name)
    return box
