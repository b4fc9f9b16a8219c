"""The Studio without a browser: set a value, click, look at what came of it."""

import dataclasses
import sys
import time
import types
import warnings

import IPython
import ipywidgets as w
import pytest
from studio_tools import button, click, finish, move, offered, said, shown, tick, tooltip, widgets

import vqclip_nb as vq
from vqclip_nb.settings import KNOBS, label
from vqclip_nb.studio import callbacks, controls, preview
from vqclip_nb.studio.chips import EXAMPLES
from vqclip_nb.studio.widgets import jpeg, parse_number


def test_every_setting_has_a_control_with_its_label_and_help(studio):
    assert set(studio.controls) == {f.name for f in dataclasses.fields(vq.Settings)}
    for name, control in studio.controls.items():
        assert tooltip(getattr(control, "text", control)) == KNOBS[name].help
        assert control.description == label(name)
    side = next(box for box in widgets(studio) if "vq-side" in box._dom_classes)
    names = ["learning rate", "iterations", "activation", "noise factor"]
    assert [field.children[0].description for field in side.children[:4]] == names
    read = {w.description for w in widgets(studio) if w.has_trait("description")}
    assert not {"w1", "w2", "total iter", "include", "exclude", "extras"} & read
    text, found = next(b for b in widgets(studio) if "vq-search" in b._dom_classes).children
    text.value = "Decay"
    assert "weight decay" in [field.children[0].description for field in found.children]
    text.value = ""
    assert not found.children


def test_sliders_and_typed_numbers_move_together(studio):
    total, rate = studio.controls["total_iter"], studio.controls["learning_rate"]
    total.text.value = "2,000"
    assert total.value == 2000
    total.slider.value = 10**3.30  # where a page puts it: no person moved it
    assert total.value == 2000
    total.slider.value = 1000
    assert total.value == 1000 and total.text.value == "1000"
    rate.slider.value = 0.0316
    assert rate.value == 0.0316
    rate.text.value = "1e1"
    assert rate.value == rate.slider.value == 10
    read = {"1e3": 1000, "1,000": 1000, "1 000": 1000, ".5": 0.5, "0,5": 0.5, " -2 ": -2}
    for typed, number in (read | dict.fromkeys(("", "abc", "1e", "nan", "inf", "1,2,3"))).items():
        assert parse_number(typed) == number, typed


WRONG = [  # which number, what is typed, and what is said of it
    (lambda s: s.controls["total_iter"], "", "it is empty; allowed is 1 to 10000"),
    (lambda s: s.controls["total_iter"], "20,000", "iterations: 20000 is out of range"),
    (lambda s: s.controls["seed"], "2.5", "2.5 is not whole"),
    (lambda s: s.preview.back, "99", "look back: 99 is out of range; allowed is 0 to 8."),
    (lambda s: s.preview.back, "-1", "look back: -1 is out of range"),
    (lambda s: s.looks.amounts["colour"], "3", "is not a number from -1 to 1"),
    (lambda s: s.exporter.side, "9", "pixels: 9 is out of range"),
    (lambda s: s.exporter.fps, "90", "frames/s: 90 is out of range"),
]


def test_wrong_numbers_are_said_and_marked_and_stay_as_typed_until_they_are_mended(studio):
    run = studio.paint()
    studio.looks.words["colour"].value = "red"
    for find, typed, message in WRONG:
        number = find(studio)
        right = number.text.value
        number.text.value = typed
        assert message in said(studio, "error"), typed
        assert number.text.value == typed and studio.preview.frame.iteration in range(8)
        number.text.value = right
        assert not said(studio, "error"), typed
    studio.preview.back.text.value = "99"
    click(studio, "Run")
    assert not said(studio, "error") and studio.run is not run
    studio.controls["total_iter"].text.value = "0"
    move(studio, palette="no colour")
    marked = [name for name, note in studio.controls.notes.items() if shown(note)]
    assert marked == ["palette", "total_iter"]
    assert "palette, iterations" in said(studio, "error")
    with pytest.raises(ValueError, match="no colour"):
        studio.settings  # noqa: B018


def test_run_and_enter_paint_to_the_end_and_show_it(studio):
    blank = studio.preview.picture.value
    click(studio, "Run")
    assert studio.ticker.playing
    finish(studio)
    run, view = studio.run, studio.preview
    assert len(run.history) == 8 and view.picture.value != blank
    assert view.picture.value == jpeg(run.image) and "Done" in said(studio)
    assert view.curves.value[1:4] == studio.figure._repr_png_()[1:4] == b"PNG"
    assert view.status.value == "step 8 of 8"
    assert view.bar.value == view.bar.max == view.back.value == 8
    prompt = studio.controls["include"]
    prompt._handle_custom_msg({"event": "submit"}, [])  # what a front-end sends
    assert studio.ticker.playing
    finish(studio)
    move(studio, include="a blue he")  # the last letters are still on their way
    studio.controls.entered.value = "1 a blue heart"
    assert studio.ticker.playing and studio.run.settings.include == ["a blue heart"]


def test_in_a_kernel_a_thread_paints_and_hears_the_controls(studio, monkeypatch):
    monkeypatch.setattr(callbacks, "in_a_kernel", lambda: True)
    move(studio, total_iter=400)
    studio.start()
    until, rate = time.monotonic() + 60, 0.1
    while len(studio.run.history) < 5 and time.monotonic() < until:
        rate += 0.001
        move(studio, learning_rate=rate)  # never in the middle of a step
    click(studio, "Stop")
    done = len(studio.run.history)
    time.sleep(0.3)
    assert 5 <= done == len(studio.run.history) < 400 and "Stopped after" in said(studio)
    assert studio.run.settings.learning_rate > 0.1 and not said(studio, "error")
    assert "left" not in studio.preview.status.value


def test_sliders_steer_the_next_step_and_structure_asks_for_a_restart(studio):
    click(studio, "Run", "Pause")
    move(studio, learning_rate=1.0, include="a blue heart")
    assert "next step" in said(studio)
    click(studio, "Step")
    assert studio.run.painting.optimization.optimizer.param_groups[0]["lr"] == 1.0
    assert studio.run.changes == [(0, {"include": ["a blue heart"], "learning_rate": 1.0})]
    assert "from step 1 on: learning rate 1; prompt a blue heart" in said(studio)
    move(studio, activation="tanh", activation_at="every step")
    assert "takes effect with the next run" in said(studio)
    assert studio.run.settings.activation == "sine"
    click(studio, "Run again")
    assert studio.run.settings.activation == "tanh" and not shown(studio.buttons["Run again"])
    click(studio, "Step")
    move(studio, activation="sine")  # acts in every step now
    click(studio, "Step")
    assert studio.run.changes == [(1, {"activation": "sine"})]


def test_loosen_acts_with_the_button_or_a_new_prompt_and_not_by_itself(studio):
    move(studio, show_step=1)
    click(studio, "Step")
    loosen = studio.buttons["Loosen now"]
    assert not loosen.disabled
    move(studio, loosen=0.5)
    click(studio, "Step")
    assert not studio.run.changes
    loosen.click()
    assert studio.run.changes == [(2, {"loosen": 0.5})] and "50%" in said(studio)
    new = {"include": ["a blue heart"], "loosen": 0.5}
    move(studio, include="a blue heart")
    click(studio, "Step")
    assert studio.run.changes[1] == (2, new)
    click(studio, "Continue")
    finish(studio)
    assert loosen.disabled


def test_only_buttons_that_can_be_used_are_enabled_and_do_what_they_say(studio):
    def usable():
        return {name for name, button in studio.buttons.items() if not button.disabled}

    always = {"Run", "Drafts", "Dice"}
    assert usable() == always | {"Step"}
    move(studio, total_iter=60)
    click(studio, "Step", "Step")
    assert len(studio.run.history) == 2 and not studio.ticker.playing
    click(studio, "Continue")
    tick(studio)
    made = {"More like this", "Continue from here", "Export"}
    assert usable() == always | made | {"Pause", "Step", "Stop", "Loosen now"}
    click(studio, "Pause")
    assert not studio.ticker.playing
    click(studio, "Continue", "Stop")
    assert "Stopped after" in said(studio)
    assert usable() == always | made | {"Pause", "Step", "Loosen now"}
    click(studio, "Continue")
    finish(studio)
    assert usable() == always | made
    move(studio, include=" ")
    assert usable() == {"Dice", "Export"}
    studio.queue.text.value = "a red heart"
    studio.exporter.side.value = 9
    assert usable() == {"Dice", "Add to the queue"}


def test_typing_steers_once_the_keys_rest(studio, monkeypatch):
    move(studio, total_iter=400)
    click(studio, "Run")
    clock = [1000.0]
    monkeypatch.setattr(controls.time, "monotonic", lambda: clock[0])
    for text in ("a bl", "a blue", "", "a blue heart"):
        move(studio, include=text)
        clock[0] += 0.1
    tick(studio)
    assert studio.run.settings.include == ["a red apple"] and studio.ticker.playing
    clock[0] += 1
    tick(studio)
    assert studio.run.settings.include == ["a blue heart"] and len(studio.run.changes) == 1


def test_examples_and_chips_steer_and_a_preset_fills_the_controls_alone(studio):
    move(studio, total_iter=400)
    click(studio, "Run", "fire")
    tick(studio)
    assert studio.run.settings.include == [EXAMPLES["fire"]]
    click(studio, "pink", "line drawing")
    tick(studio)
    assert studio.run.settings.include == ["a line drawing of a fire on a pink background"]
    assert "vq-chosen" in button(studio, "pink")._dom_classes
    move(studio, include="a red apple", seed=7)
    studio.controls.preset.value = "report"
    assert studio.settings == vq.Settings.preset("report", include="a red apple", seed=7)
    tick(studio)
    assert studio.run.settings.crops == 4


def test_shapes_keep_the_number_of_pixels_and_dice_change_the_seed(studio, pair):
    for shape, ratio in (("wide", 16 / 9), ("portrait", 3 / 4), ("square", 1)):
        studio.shape.value = shape
        height, width = (studio.controls[n].value for n in ("height", "width"))
        assert height % pair.vqgan.downsample_factor == width % pair.vqgan.downsample_factor == 0
        assert abs(width / height / ratio - 1) < 0.2
        assert abs(height * width / pair.defaults["height"] ** 2 - 1) < 0.2
    before = studio.controls["seed"].value
    click(studio, "Dice")
    assert studio.controls["seed"].value != before


def test_an_error_while_painting_is_shown_and_painting_can_go_on(studio, fail):
    click(studio, "Run")
    full = MemoryError("the memory of cuda is full: lower crops (now 4):\nmore")
    fail(vq.Run, "step", full, 0)
    tick(studio)
    assert said(studio, "error").count("\n") == 0
    assert "lower views (now 4). Change it and press Continue" in said(studio, "error")
    assert "Error" not in said(studio) and not studio.ticker.playing
    click(studio, "Continue")
    assert not said(studio, "error")
    finish(studio)
    assert studio.run.done


@pytest.mark.parametrize(
    "prompt, error, warning",
    [
        ("  ", "Type a prompt", ""),
        ("a fox:0", "nothing in it has a weight", ""),
        ("xyzzy", "knows none of its words", "xyzzy"),
    ],
)
def test_a_prompt_that_cannot_be_painted_is_said_and_nothing_moves(studio, prompt, error, warning):
    click(studio, "Run", "Pause")
    run = studio.run
    move(studio, include=prompt)
    assert (error in said(studio, "error")) == (not warning)  # some only when it is painted
    click(studio, "Run")
    assert error in said(studio, "error") and warning in said(studio, "warning")
    assert studio.run is run and run.settings.include == ["a red apple"]
    move(studio, include="a fox")
    assert not said(studio, "error") and not said(studio, "warning")


def test_unknown_words_are_said_once_with_known_ones_and_examples_have_none(studio):
    move(studio, include="a red pineapl and a fox")
    click(studio, "Run")
    assert said(studio).count("pineapl") == 1
    click(studio, "pineapl → pineapple")
    assert studio.controls["include"].value == "a red pineapple and a fox"
    assert not offered(studio.chips.near) and not said(studio, "warning")
    with warnings.catch_warnings(action="error"):
        for name, text in EXAMPLES.items():
            click(studio, name)
            assert studio.controls["include"].value == text and not said(studio, "warning")


def test_an_interrupt_keeps_everything(studio, fail, recwarn):
    move(studio, height=70)
    fail(vq.Run, "step", KeyboardInterrupt, 3)
    run = studio.paint()
    assert "becomes" in said(studio, "warning")  # in the Studio alone
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]
    assert len(run.history) == 3 and not studio.ticker.playing
    assert "Stopped after 3 steps" in said(studio)
    click(studio, "Continue")
    finish(studio)
    assert studio.run is run and len(run.history) == 8


def test_a_picture_on_its_way_is_shown(studio, monkeypatch):
    move(studio, show_from=6)
    monkeypatch.setattr(preview, "OFTEN", 0)
    monkeypatch.setattr(preview, "SHARE", 0)
    click(studio, "Run")
    seen = set()
    while len(studio.run.history) < 5:
        tick(studio)
        seen.add(studio.preview.picture.value)
    assert len(seen) > 1


def test_in_colab_a_timer_of_the_page_asks_for_the_steps(pair, small, tmp_path, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    studio = vq.Studio(pair, small(total_iter=3), folder=tmp_path)
    clock = studio.ticker.clock
    assert clock.box in studio.children
    studio.start()
    assert not studio.run.history and clock.on
    for count in range(1, 6):
        clock.timer.value = count
    assert studio.run.done and not clock.on


def test_a_cell_that_runs_again_shows_one_studio_and_the_one_before_is_gone(pair, monkeypatch):
    cell = {"metadata": {"cellId": "a"}, "header": {"msg_id": "1"}}
    shell = types.SimpleNamespace(parent_header=cell)
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    before, beside = (vq.Studio(pair, vq.Settings(include="a fox")) for _ in range(2))
    held = w.VBox([before])  # in another cell
    click(before, "Run")
    before.ticker.tick()
    cell["header"]["msg_id"] = "2"
    after = vq.Studio(pair)
    assert not before.ticker.playing and before.controls["seed"].comm is None
    assert beside.controls["seed"].comm is None and after.controls["seed"].comm
    assert held.children == (before,) and not before.children
    assert w.Widget.get_manager_state()["state"]  # what a reloaded page asks for: all can be told
