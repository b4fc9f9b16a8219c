"""Going back, branching, comparing, drafts, more like this, the queue; and other pairs."""

import dataclasses
import itertools

import ipywidgets
import pytest
from PIL import Image
from studio_tools import click, finish, move, said, shown, tick

import vqclip_nb as vq
from vqclip_nb.images import load_image, to_pil
from vqclip_nb.settings import PRESETS
from vqclip_nb.studio import pairs
from vqclip_nb.studio.tries import DRAFTS, LIKE, differences, draft_settings


def test_looking_back_pauses_and_says_the_step_of_the_kept_frame(studio):
    click(studio, "Run")
    while studio.preview.back.slider.max < 6:
        tick(studio)
    studio.preview.back.value = 1
    assert not studio.ticker.playing and "step 1 of 8" in studio.preview.status.value
    studio.paint()
    last = studio.preview.picture.value
    studio.preview.back.value = 4  # kept are the steps 1, 3, 5, 7, 8
    assert studio.preview.picture.value != last
    assert studio.preview.back.value in (3, 5)
    assert studio.preview.status.value == f"looking back at step {studio.preview.back.value} of 8"
    studio.preview.back.value = 8
    assert studio.preview.picture.value == last and "step 8 of 8" in studio.preview.status.value


def test_go_back_and_branch_keeps_the_first_try_to_compare(studio):
    first = studio.paint()
    studio.preview.back.value = 3
    move(studio, include="a blue heart")
    click(studio, "Continue from here")
    assert "from step 3" in said(studio)
    finish(studio)
    assert studio.run is not first and len(studio.history.items) == 2
    assert studio.gallery.tiles.children[0].button.description == "a blue heart"
    assert first.settings.include == ["a red apple"] and len(first.history) == 8
    assert studio.run.history[:2] == first.history[:2] and len(studio.run.history) == 8
    one, other = studio.history.items
    one.compare.value = True
    assert not shown(studio.history.compared)
    other.compare.value = True
    assert shown(studio.history.compared) and studio.history.compared.value[1:4] == b"PNG"
    assert differences(other.run.settings, one.run.settings) == "prompt a blue heart"
    one.name.value = "my apple"
    click(studio, "my apple")  # the small picture itself
    assert studio.run is first and "my apple is finished" in said(studio)
    assert studio.controls["include"].value == "a red apple"


def test_drafts_do_not_block_and_a_click_paints_one_in_full(studio, monkeypatch):
    monkeypatch.setitem(PRESETS["draft"], "total_iter", 6)
    click(studio, "Drafts")
    tick(studio)
    assert studio.ticker.playing and "draft 1 of 6" in studio.preview.status.value
    assert not shown(studio.preview.picture) and studio.drafts.shown
    assert studio.drafts.tiles[4].button.disabled
    click(studio, "Stop")
    assert "Click a draft" in said(studio) and studio.drafts.shown
    click(studio, "Back to the picture")
    assert not studio.drafts.shown and shown(studio.preview.picture)
    click(studio, "Drafts")
    finish(studio)
    pictures = {bytes(tile.picture.value) for tile in studio.drafts.tiles}
    assert len(pictures) == DRAFTS and not any(t.button.disabled for t in studio.drafts.tiles)
    draft = studio.drafts.runs[4]
    click(studio, "seed 4")
    assert studio.ticker.playing and not studio.drafts.shown
    assert shown(studio.preview.picture) and studio.controls["seed"].value == 4
    finish(studio)
    assert studio.run.settings.seed == 4 and len(studio.run.history) == 8
    assert studio.run.history[:5] == draft.history[:5]  # the draft goes on, it is not repainted


@pytest.mark.parametrize(
    "prompt, formed",
    [("a sunflower on a blue background", 3), ("a fox", 3), ("a doctor", 1), ("an igloo", 1)],
)
def test_six_drafts_differ_in_drawing_start_or_seed(pair, prompt, formed):
    """formed: drafts of what the prior forms, one where it does so in one style alone."""
    settings = vq.Settings(include=prompt).for_pair(pair.defaults)
    drafts = list(draft_settings(pair, settings).values())
    assert len(drafts) == len({(s.start, s.drawing, s.seed) for s in drafts}) == DRAFTS
    assert sum(s.start == "noise" and s.prior != 0 for s in drafts) == formed
    assert drafts[0].replace(total_iter=60, crops=12, finish=True) == settings
    size, reading = (128, 128), pair.read(prompt)
    starts = [pair.start(reading, s, size, s.seed) for s in drafts if s.start != "noise"]
    for one, other in itertools.combinations(starts, 2):
        assert (one.picture - other.picture).abs().mean() > 0.02


def test_more_like_this_starts_from_the_picture_that_is_looked_at(studio):
    studio.paint()
    studio.preview.back.value = 3
    wanted = studio.preview.frame.image
    click(studio, "More like this")
    finish(studio)
    for i, run in enumerate(studio.drafts.runs, 1):
        assert run.first.seed == i and run.first.start_strength == LIKE
        assert to_pil(load_image(run.first.init_image)[0]).tobytes() == wanted.tobytes()
    click(studio, "seed 2")
    finish(studio)
    assert studio.run.done and studio.controls["init_image"].value.startswith("data:")
    click(studio, "✕ remove start picture")
    assert not studio.controls["init_image"].value


def test_the_queue_paints_one_prompt_after_the_other_from_now_on(studio):
    click(studio, "Add to the queue")
    assert "one a line" in said(studio, "error")
    studio.queue.text.value = "a red heart"
    click(studio, "Add to the queue")
    assert studio.ticker.playing and not said(studio, "error")
    studio.queue.text.value = "a blue heart\nxyzzy\na fox\nan owl"
    click(studio, "Add to the queue")
    assert studio.queue.text.value == "" and len(studio.history.items) == 1
    click(studio, "✕ an owl")
    finish(studio)
    painted = [item.run.settings.include for item in studio.history.items]
    assert painted == [["a red heart"], ["a blue heart"], ["a fox"]]
    assert all(item.run.done for item in studio.history.items) and not studio.queue.prompts
    assert studio.controls["include"].value == "a fox"
    assert "“xyzzy” was passed over" in said(studio, "error")


def test_a_pair_is_offered_only_what_it_has(studio, pair):
    start = studio.controls["start"]
    assert shown(studio.chips.box) and start.options == ("noise", "library", "prior")
    clip = dataclasses.replace(pair.clip, vocabulary=None)
    studio.controls.pair = dataclasses.replace(pair, clip=clip, vqgan_hash="0")
    studio.chips.follow()
    studio.start_picker.follow()
    assert not shown(studio.chips.box) and not shown(start) and start.options == ("noise",)
    assert studio.controls["start_strength"].disabled and studio.controls["keep_edges"].disabled


def test_another_pair_is_loaded_by_run_and_keeps_what_was_chosen(studio, pair, monkeypatch):
    own = dict(size=96, own_defaults={"crops": 2, "noise_factor": 0.05})
    other = dataclasses.replace(pair, name="imagenet", **own)
    monkeypatch.setattr(pairs, "is_here", lambda name: True)
    monkeypatch.setattr(pairs, "load_pair", lambda name: other)
    move(studio, width=pair.defaults["width"], crops=3)
    choice = studio.pairs.control
    choice.value = "imagenet"
    assert "Press Run" in said(studio) and studio.controls.pair is pair
    click(studio, "Run")
    assert studio.run.pair is other and studio.run.size == (64, 96)
    assert (studio.run.settings.crops, studio.run.settings.noise_factor) == (3, 0.05)
    monkeypatch.delattr(pairs, "load_pair")  # the first pair may be of files, which have no name
    choice.value = "emoji"
    click(studio, "Run")
    assert studio.run.pair is pair


@pytest.mark.slow
def test_several_prompts_of_one_run_are_kept_and_joined_by_a_morph(studio, tmp_path):
    move(studio, include="a red apple")
    studio.controls.more.value = "a blue heart"
    studio.exporter.motion.value = "morph"
    assert studio.paint().settings.include == ["a red apple", "a blue heart"]
    assert studio.preview.status.value == "step 16 of 16" and len(studio.gallery.paths) == 2
    click(studio, "Export")
    assert Image.open(tmp_path / "a-blue-heart.gif").n_frames == 13
    studio.controls.more.value = ""
    studio.paint()
    click(studio, "Export")
    assert "at least two pictures" in said(studio, "error")
    for one in studio.history.items:
        one.compare.value = True
    click(studio, "Export")
    assert Image.open(tmp_path / "a-red-apple.gif").n_frames > 13


@pytest.mark.slow
def test_a_long_session_makes_no_more_widgets(studio):
    module = ipywidgets.widgets.widget  # in 7 the class holds all live widgets
    registry = module._instances if hasattr(module, "_instances") else ipywidgets.Widget.widgets
    studio.paint()
    click(studio, "Export")
    before = len(registry)
    click(studio, "Export", "Drafts")
    finish(studio)
    click(studio, "More like this")
    tick(studio)
    click(studio, "Stop", "try 1")
    studio.gallery.show()
    studio.controller.offer_unfinished()
    assert len(registry) == before
