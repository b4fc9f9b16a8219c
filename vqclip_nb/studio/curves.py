"""Loss and similarity as one small drawing in the page's own colours; a thousandth of a second,
where a figure takes a tenth."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, POINTS = 320, 120, 300  # units of the drawing; most points of a curve


def curves_svg(history: Sequence[tuple], changes: Sequence[int], total: int) -> str:
    """An SVG of a run's `history` (rows end with loss and similarity), with a line wherever
    something was changed."""
    if not history:
        return ""
    total = max(total, len(history))
    every = -(-len(history) // POINTS)
    rows = list(enumerate(history, 1))
    rows = rows[::every] + ([rows[-1]] if (len(rows) - 1) % every else [])
    parts = []
    for column, name in ((2, "loss"), (3, "similarity")):
        values = [(at, row[column]) for at, row in rows]
        low, high = min(v for _, v in values), max(v for _, v in values)
        room = (high - low) or 1.0
        points = " ".join(
            f"{WIDTH * at / total:.1f},{4 + (HEIGHT - 8) * (high - v) / room:.1f}"
            for at, v in values
        )
        parts.append(f'<polyline class="vq-{name}" points="{points}"/>')
    for at in changes:
        x = WIDTH * at / total
        parts.append(f'<line class="vq-change" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"/>')
    loss, similarity = history[-1][2], history[-1][3]
    return (
        f'<div class="vq-curves"><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="loss {loss:.3f} and similarity {similarity:.3f} over the steps">'
        f'{"".join(parts)}</svg><div><span class="vq-loss">loss {loss:.3f}</span> '
        f'<span class="vq-similarity">similarity {similarity:.3f}</span> '
        f"<span>{total} steps</span></div></div>"
    )
