"""Where everything stands: prompt and Run above, the picture first, its controls beside it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as w

from ..settings import KNOBS, label
from .controls import CARD, PROMPTS
from .widgets import HERE, column, labelled, row, script, set_shown

if TYPE_CHECKING:
    from .studio import Studio

# What stands in no drawer by itself: in a row of others, above the drawers, or set by a picture.
ELSEWHERE = (*PROMPTS, *CARD, "seed", "loosen", "init_image", "style_image", "attributes")
FOUND = 8  # controls that a search shows at most


def lay_out(p: Studio) -> list[w.Widget]:
    """The Studio's children."""
    c, b, preview, said = p.controls, p.buttons, p.preview, p.messages.at
    steps = row(b["Pause"], b["Step"], b["Stop"], css="vq-buttons")
    more = (b[n] for n in ("Drafts", "More like this", "Continue from here"))
    stage = column(
        row(preview.bar, preview.status, css="vq-progress"),
        preview.picture,
        p.drafts.box,
        row(*more, preview.full, css="vq-buttons"),
        preview.back,
        said["back"],
        p.pairs.box,
        preview.curves,
        css="vq-stage",
    )
    now = row(said["now"], b["Run again"], css="vq-now")
    side = column(*(c.fields[n] for n in CARD), now, _drawers(p), _search(p), css="vq-side")
    # The style, and the script that does what ipywidgets leaves out: Enter with the whole prompt,
    # drawers by the keyboard, names for screen readers, the picture of a new Studio in sight.
    css = (HERE / "studio.css").read_text("utf8")
    unseen = w.HTML(f"<style>{css}</style>{script('studio')}")
    set_shown(unseen, False)
    return [
        unseen,
        p.controller.unfinished,
        row(c["include"], b["Run"], steps, c.entered, css="vq-ask"),
        row(c.notes["include"], p.messages.box, p.chips.near, css="vq-notices"),
        row(stage, side, css="vq-columns"),
        p.history.box,
        p.history.compared,
    ]


def _drawers(p: Studio) -> w.Accordion:
    """Widgets, and settings by their names; what is in no other drawer stands under "More"."""
    c, b, e, looks = p.controls, p.buttons, p.exporter, p.looks
    helps = (f"<dt>{label(n)}</dt><dd>{html.escape(k.help)}</dd>" for n, k in KNOBS.items())
    drawers: dict[str, list[str | w.Widget]] = {
        "Prompt helpers": [
            p.chips.examples,
            p.chips.box,
            *("exclude", "extras", "loosen"),
            row(b["Loosen now"], css="vq-buttons"),
        ],
        "Look": [
            *looks.rows,
            c.notes["attributes"],
            *("palette", looks.palette, "palette_weight"),
            *(looks.style.box, c.notes["style_image"], "style_image_weight"),
        ],
        "Save": [
            row(e.kind, b["Export"], css="vq-row"),
            row(e.motion, e.side, e.fps, e.boomerang, css="vq-pairs"),
            p.messages.at["export"],
            e.bar,
            row(e.preview, e.link, e.download, css="vq-buttons"),
        ],
        "Start": [
            *(p.start_picker.box, c.notes["init_image"]),
            *("start", "drawing", "start_strength", "keep_edges", "keep_colours"),
        ],
        "Regions": ["regions", "region_weight"],
        "Guidance": [
            *("w1", "w2", "alpha", "beta", "distance", "crop_method", "weight_decay", "prior")
        ],
        "Picture": [
            *(p.shape, row(c.fields["seed"], b["Dice"], css="vq-row")),
            *("height", "width", "finish", "quantize", "ema_decay", "activation_at", "tries"),
        ],
        "Performance": ["crops", "precision", "random", "show_step", "show_from"],
        "Queue": [p.queue.text, row(b["Add to the queue"], css="vq-buttons"), p.queue.row],
        "Gallery": [p.gallery.box],
        "More": [p.pairs.control, c.preset, c.more, row(p.upload, css="vq-buttons")],
        "What each control does": [w.HTML(f"<dl class='vq-help'>{''.join(helps)}</dl>")],
    }
    placed = {*ELSEWHERE, *(n for part in drawers.values() for n in part if isinstance(n, str))}
    drawers["More"] += [n for n in c if n not in placed]
    fields = (
        [c.fields[part] if isinstance(part, str) else part for part in parts]
        for parts in drawers.values()
    )
    accordion = w.Accordion([column(*one, css="vq-drawer") for one in fields], selected_index=None)
    for i, name in enumerate(drawers):
        accordion.set_title(i, name)
    return accordion


def _search(p: Studio) -> w.VBox:
    """A text that brings the controls whose name or help has it, from whichever drawer."""
    c, found = p.controls, column(css="vq-drawer")
    text = labelled(w.Text, "find a control", "a part of its name or of its help")
    names = [n for n in c if n not in ("include", "init_image", "style_image", "attributes")]

    def show() -> None:
        wanted = text.value.strip().lower()
        fits = [n for n in names if wanted and wanted in f"{label(n)} {KNOBS[n].help}".lower()]
        fits.sort(key=lambda n: wanted not in label(n).lower())  # by name first
        found.children = [c.fields[n] for n in fits[:FOUND]]

    p.calls.on(text, show)
    return column(text, found, css="vq-search")
