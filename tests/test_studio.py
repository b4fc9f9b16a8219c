"""The Studio without a browser: set a value, click, look at what came of it."""

import dataclasses
import warnings
from datetime import datetime

import ipywidgets
import pytest

import vqclip_nb as vq
from vqclip_nb.settings import KNOBS
from vqclip_nb.studio import EXAMPLES


@pytest.fixture
def studio(pair, small, tmp_path, monkeypatch):
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "cache"))
    return vq.Studio(pair, small(total_iter=8), folder=tmp_path)


def tick(studio, times: int = 1) -> None:
    """What the front-end's timer does."""
    for _ in range(times):
        studio.timer.value += 1


def finish(studio) -> None:
    for _ in range(100):
        if not studio.playing:
            return
        tick(studio)
    raise AssertionError("the run did not end")


def test_every_setting_has_a_control_with_its_range_and_help(studio):
    assert set(studio.controls) == {f.name for f in dataclasses.fields(vq.Settings)}
    for name, control in studio.controls.items():
        tip = "tooltip" if control.has_trait("tooltip") else "description_tooltip"
        assert getattr(control, tip) == KNOBS[name].help
    rate = studio.controls["learning_rate"]
    assert (10**rate.min, 10**rate.max) == pytest.approx((0.001, 10))
    assert studio.controls["activation"].options == KNOBS["activation"].choices


def test_run_paints_to_the_end_and_shows_it(studio):
    blank = studio.picture.value
    studio.buttons["Run"].click()
    assert studio.playing
    finish(studio)
    assert len(studio.run.history) == 8
    assert studio.picture.value != blank and bytes(studio.curves.value[:4]) == b"\x89PNG"
    assert "step 8 of 8" in studio.status.value and "done" in studio.message.value


def test_sliders_steer_the_next_step_and_structure_asks_for_a_restart(studio):
    studio.buttons["Run"].click()
    studio.buttons["Pause"].click()
    studio.controls["learning_rate"].value = 1.0
    studio.controls["include"].value = "a blue heart"
    assert studio.run.optimizer.param_groups[0]["lr"] == 1.0
    assert studio.run.settings.include == ["a blue heart"]
    assert len(studio.run.changes) == 2
    studio.controls["activation"].value = "tanh"
    assert "restart" in studio.message.value and studio.run.settings.activation == "sine"
    studio.buttons["Run"].click()
    assert studio.run.settings.activation == "tanh"


def test_pause_step_continue_stop(studio):
    studio.buttons["Step"].click()
    studio.buttons["Step"].click()
    assert len(studio.run.history) == 2 and not studio.playing
    studio.buttons["Pause"].click()
    assert studio.playing and studio.buttons["Pause"].description == "Pause"
    studio.buttons["Pause"].click()
    assert studio.buttons["Pause"].description == "Continue"
    before = len(studio.run.history)
    tick(studio, 3)
    assert len(studio.run.history) == before
    studio.buttons["Stop"].click()
    assert "stopped after" in studio.message.value


def test_errors_are_shown_and_nothing_moves(studio):
    studio.buttons["Run"].click()
    studio.buttons["Pause"].click()
    studio.controls["include"].value = "  "
    assert "at least one text" in studio.message.value
    assert studio.run.settings.include == ["a red apple"]
    studio.controls["include"].value = "a fox:0"
    assert "sum to nothing" in studio.message.value


def test_go_back_and_branch_keeps_the_first_try(studio):
    studio.buttons["Run"].click()
    finish(studio)
    first = studio.run
    last = studio.picture.value
    studio.back.value = 1
    assert studio.picture.value != last and "step 2" in studio.status.value
    studio.controls["include"].value = "a blue heart"
    studio.go_on.click()
    finish(studio)
    assert studio.run is not first and len(studio.tries) == 2
    assert first.settings.include == ["a red apple"] and len(first.history) == 8
    assert studio.run.history[:2] == first.history[:2] and len(studio.run.history) == 8
    assert len(studio.strip.children) == 2
    studio.strip.children[0].children[1].value = "my apple"
    studio.strip.children[0].children[2].click()
    assert studio.run is first and studio.tries[0][0] == "my apple"


def test_drafts_promote(studio):
    studio.buttons["6 drafts"].click()
    (row,) = studio.sheet.children
    assert len(row.children) == 6
    row.children[4].children[1].click()
    assert studio.playing and studio.run.settings.seed == 4


@pytest.mark.parametrize("kind", ["PNG", "GIF", "MP4"])
def test_export_and_restore(studio, pair, tmp_path, kind):
    studio.controls["noise_factor"].value = 0.5
    studio.controls["extras"].value = "on a green background"
    studio.buttons["Run"].click()
    finish(studio)
    wanted = studio.run.settings
    studio.kind.value = kind
    export = next(b for b in buttons(studio) if b.description == "Export")
    export.click()
    path = tmp_path / f"picture.{kind.lower()}"
    assert path.exists() and "download=" in studio.links.value
    other = vq.Studio(pair, folder=tmp_path)
    content = path.read_bytes()
    if ipywidgets.__version__ < "8":
        file = {"metadata": {"name": path.name}, "content": content}
        other.upload.set_trait("value", {path.name: file})
    else:
        facts = {"size": len(content), "type": "", "last_modified": datetime.now()}
        other.upload.value = ({"name": path.name, "content": content, **facts},)
    assert "restored" in other.message.value
    assert other.settings == wanted


def buttons(box):
    for child in getattr(box, "children", ()):
        if isinstance(child, ipywidgets.Button):
            yield child
        yield from buttons(child)


def test_a_session_that_was_cut_off_can_go_on(studio, pair, tmp_path):
    studio.controls["total_iter"].value = 60
    studio.buttons["Run"].click()
    tick(studio)
    done = len(studio.run.history)
    assert 0 < done < 60
    again = vq.Studio(pair, folder=tmp_path)
    (offer,) = again.sheet.children
    offer.click()
    assert len(again.run.history) == done and again.playing
    finish(again)
    assert len(again.run.history) == 60


def test_unknown_words_and_examples(studio):
    studio.controls["include"].value = "a pineaple"
    assert "pineaple" in studio.hints.value and "pineapple" in studio.hints.value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, text in EXAMPLES.items():
            next(b for b in buttons(studio) if b.description == name).click()
            assert studio.controls["include"].value == text and not studio.hints.value


def test_paint_blocks_until_done(studio):
    run = studio.paint()
    assert run.done and studio.run is run and len(studio.strip.children) == 1


def test_presets_fill_the_controls(studio):
    studio.preset.value = "report"
    assert studio.settings == vq.Settings.preset("report", include="a red apple")
