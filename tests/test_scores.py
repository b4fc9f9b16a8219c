"""Scores of pictures whose answer is known, and their figures."""

from itertools import product

import numpy as np
import pandas
import pytest
from PIL import Image, ImageDraw

import vqclip_nb as vq
from vqclip_nb.experiments import scores
from vqclip_nb.experiments.plots import intervals, table
from vqclip_nb.experiments.scores import diversity, mean_interval, r_precision, rank, similarity
from vqclip_nb.show import Live, contact_sheet

COLOURS = {"red": (220, 40, 40), "blue": (40, 80, 220), "green": (40, 160, 60)}


def disc(background, colour="yellow", at=(64, 64)):
    picture = Image.new("RGB", (128, 128), background)
    box = (at[0] - 30, at[1] - 30, at[0] + 30, at[1] + 30)
    ImageDraw.Draw(picture).ellipse(box, fill=colour)
    return picture


@pytest.fixture(scope="module", params=["guide", "judge"])
def guide(request, pair):
    return pair.clip if request.param == "guide" else vq.load_judge("emoji", device="cpu")


def test_similarity_prefers_the_true_background(guide):
    for name, colour in COLOURS.items():
        texts = [f"a circle on a {other} background" for other in COLOURS]
        found = [similarity(guide, disc(colour), text) for text in texts]
        assert [*COLOURS][np.argmax(found)] == name, found
        assert -1 <= min(found) and max(found) <= 1
    plain, pushed = (similarity(guide, disc("red"), f"a red background:{n}") for n in (2, -1))
    assert pushed == pytest.approx(-plain, abs=1e-6)


def test_rank_counts_who_is_nearer_of_many_and_not_what_the_text_says_itself(guide):
    texts = [f"a circle on a {colour} background" for colour in COLOURS]
    picture, (red, blue, green) = disc(COLOURS["blue"]), texts
    assert rank(guide, picture, blue, texts) == 1
    assert {rank(guide, picture, text, texts) for text in (red, green)} == {2, 3}
    assert rank(guide, picture, red, []) == 1
    assert rank(guide, picture, f"{red} | {blue}:0.01", [blue]) == 1
    assert rank(guide, picture, f"{blue}less red", [blue]) == 2  # whole words only
    names = scores.concepts()
    assert len(names) == len(set(names)) > 900 and "a pineapple" in names


def test_diversity_is_nothing_for_equal_pictures_and_grows_with_difference(guide):
    red, blue = disc(COLOURS["red"]), disc(COLOURS["blue"])
    moved = disc(COLOURS["red"], at=(66, 64))
    assert diversity(guide, [red, red, red]) == pytest.approx(0, abs=1e-5)
    assert 1e-5 < diversity(guide, [red, moved]) < diversity(guide, [red, blue]) <= 2
    mixed = diversity(guide, [red, red, blue])  # one pair of three is equal
    assert mixed == pytest.approx(diversity(guide, [red, blue]) * 2 / 3, abs=1e-5)
    with pytest.raises(ValueError, match="at least two"):
        diversity(guide, [red])


def test_mean_interval_is_students_and_r_precision_the_share_of_firsts():
    mean, half = mean_interval([1, 2, 3, 4, 5])
    assert mean == 3 and half == pytest.approx(2.776 * 2.5**0.5 / 5**0.5, abs=1e-3)  # t of 4
    assert mean_interval([1, 3, 5, float("nan")])[1] == pytest.approx(4.303 * 2 / 3**0.5, abs=1e-3)
    assert np.isnan(mean_interval([1, 3, float("nan")])[1])  # two values
    assert mean_interval([2, 2, 2]) == (2, 0)
    assert mean_interval([7])[0] == 7 and np.isnan(mean_interval([7])[1])
    assert np.isnan(mean_interval([])).all()
    assert r_precision([1, 1, 2, 976]) == 0.5 and r_precision([1, float("nan")]) == 1
    assert np.isnan(r_precision([]))


def test_prompts_are_averaged_within_a_seed():
    rows = [("relu", 0, 0.0), ("relu", 0, 10.0), ("relu", 1, 2.0), ("relu", 1, 10.0)]
    rows += [("none", 0, 1.0), ("none", 1, None)]
    frame = pandas.DataFrame(rows, columns=["activation", "seed", "judge"])
    found = scores.over_seeds(frame, ["activation"], "judge")
    assert list(found.index) == ["relu", "none"]
    assert found.loc["relu", "mean"] == 5.5 and np.isnan(found.loc["relu", "interval"])
    assert found["mean"]["none"] == 1 and np.isnan(found.interval["none"])


def test_figures_show_pictures_and_numbers_and_words_as_they_are(pair, small, tmp_path):
    disc("red").save(tmp_path / "a.png")
    cells = product(("relu", "none"), (0.1, 0.5), range(3))
    frame = pandas.DataFrame(cells, columns=["activation", "learning_rate", "seed"])
    frame = frame.assign(similarity=0.25, judge=0.5, rank=7, picture=tmp_path / "a.png")
    figure = table(frame)
    titles = [axes.get_title().split("\n") for axes in figure.axes]
    assert [t[0] for t in titles[:2]] == ["relu, 0.1", "relu, 0.5"]
    assert titles[2][1] == "similarity 0.250 ± 0.000" and titles[2][3] == "rank 7 ± 0"
    assert all(axes.images[0].get_array().shape == (128, 128, 3) for axes in figure.axes)
    failed = frame[frame.seed == 0].assign(picture=None, judge=np.nan)
    title = table(failed).axes[0].get_title()
    assert title.startswith("relu, 0.1") and "judge" not in title and "±" not in title
    (axes,) = intervals(frame, "activation").axes
    assert axes.get_xlabel() == "activation" and axes.get_ylabel() == "judge"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["relu", "none"]
    words = r"a bag of $5 and $\frac_ \x$"
    run = vq.Run(pair, small(include=[f"an apple, {words}"], total_iter=1))
    assert Live(run).update(run.step())._repr_png_()
    assert contact_sheet([disc("red")], [words])._repr_png_()
    columns = dict(include=[words, "a fox"] * 2, extras=[words] * 4, seed=[0, 0, 1, 1])
    frame = pandas.DataFrame(columns | {"judge": 0.5})
    assert intervals(frame, "include", lines="extras")._repr_png_()
