"""Figures draw people's words as they are."""

import pandas
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.experiments.plots import intervals
from vqclip_nb.show import Live, contact_sheet

DOLLARS = r"a bag of $5 and $\frac_ \x$"


def test_dollars_in_a_prompt_are_no_formula(pair, small):
    run = vq.Run(pair, small(include=[f"an apple, {DOLLARS}"], total_iter=1))
    assert Live(run).update(run.step())._repr_png_()
    assert contact_sheet([Image.new("RGB", (8, 8))], [DOLLARS])._repr_png_()
    frame = pandas.DataFrame(
        {"include": [DOLLARS, "a fox"] * 2, "extras": [DOLLARS] * 4, "seed": [0, 0, 1, 1]}
    )
    frame["judge"] = 0.5
    assert intervals(frame, "include", lines="extras")._repr_png_()
