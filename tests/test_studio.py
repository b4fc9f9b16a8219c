"""The Studio without a browser: set a value, click, look at what came of it."""

import dataclasses
import io
import sys
import threading
import types
import warnings
from datetime import datetime

import ipywidgets
import pytest
from PIL import Image
from safetensors import SafetensorError

import vqclip_nb as vq
from vqclip_nb import studio as studio_module
from vqclip_nb.export import read_recipe
from vqclip_nb.settings import KNOBS
from vqclip_nb.studio import DRAFTS, EXAMPLES


@pytest.fixture
def studio(pair, small, tmp_path, monkeypatch):
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "cache"))
    return vq.Studio(pair, small(total_iter=8), folder=tmp_path)


def tick(studio, times: int = 1) -> None:
    """What the front-end's timer does."""
    for _ in range(times):
        studio.timer.value += 1


def finish(studio) -> None:
    for _ in range(400):
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
    assert (rate.min, rate.max) == (0.001, 10)
    assert studio.controls["activation"].options == KNOBS["activation"].choices


def test_sliders_and_labelled_numbers_move_together(studio):
    def slider(number):
        (row,) = (
            x
            for x in widgets(studio)
            if number in getattr(x, "children", ()) and len(x.children) == 2
        )
        return row.children[1]

    total, rate = studio.controls["total_iter"], studio.controls["learning_rate"]
    total.value = 2000
    slider(total).value = 3.30  # what front-ends make of log10(2000): no person moved it
    assert total.value == 2000
    slider(total).value = 3.0
    assert total.value == 1000
    slider(rate).value = -1.5
    assert rate.value == 0.0316
    rate.value = 1.0
    assert slider(rate).value == 0.0
    slider(rate).value = slider(rate).max
    assert rate.value == 10
    noise = studio.controls["noise_factor"]
    slider(noise).value = 0.37
    assert noise.value == 0.37
    total.value = 8
    studio.paint()
    studio.slide.value = 1
    assert studio.back.value == 1 and "of picture 1" in studio.status.value


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
    assert "next step" in studio.message.value
    studio.buttons["Step"].click()
    assert studio.run.optimizer.param_groups[0]["lr"] == 1.0
    assert studio.run.settings.include == ["a blue heart"]
    assert studio.run.changes == [(0, {"include": ["a blue heart"], "learning_rate": 1.0})]
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


def test_typing_steers_once_the_keys_rest(studio, monkeypatch):
    studio.buttons["Run"].click()
    clock = [1000.0]
    monkeypatch.setattr(studio_module.time, "monotonic", lambda: clock[0])
    for text in ("a bl", "a blue", "", "a blue heart"):
        studio.controls["include"].value = text
        clock[0] += 0.1
    tick(studio)
    assert studio.run.settings.include == ["a red apple"] and studio.playing
    clock[0] += 1
    tick(studio)
    assert studio.run.settings.include == ["a blue heart"] and len(studio.run.changes) == 1


def test_examples_steer_and_a_preset_does_not(studio):
    studio.buttons["Run"].click()
    next(b for b in buttons(studio) if b.description == "fire").click()
    tick(studio)
    assert studio.run.settings.include == [EXAMPLES["fire"]]
    studio.preset.value = "report"
    tick(studio)
    assert studio.run.settings.crops == 4


def test_an_error_while_painting_is_shown_and_painting_can_go_on(studio, monkeypatch):
    studio.buttons["Run"].click()
    step, full = vq.Run.step, MemoryError("the GPU's memory is full: lower crops (now 4)")
    monkeypatch.setattr(vq.Run, "step", lambda run: (_ for _ in ()).throw(full))
    tick(studio)
    assert "lower crops" in studio.message.value and "press Continue" in studio.message.value
    assert not studio.playing
    with pytest.raises(MemoryError):
        studio.paint()
    assert "lower crops" in studio.message.value
    monkeypatch.setattr(vq.Run, "step", step)
    assert studio.buttons["Pause"].description == "Continue"
    studio.buttons["Pause"].click()
    finish(studio)
    assert studio.run.done


def test_a_step_and_a_slider_never_meet(studio):
    """Callbacks may come on another thread: hammer the controls while it paints."""
    errors = []

    def hammer() -> None:
        try:
            for i in range(60):
                studio.controls["learning_rate"].value = 0.1 + i / 100
        except Exception as e:
            errors.append(e)

    thread = threading.Thread(target=hammer)
    studio.controls["total_iter"].value = 12
    thread.start()
    run = studio.paint()
    thread.join()
    assert not errors and run.done and "Error" not in studio.message.value
    assert len(run.history) == 12


def test_errors_are_shown_and_nothing_moves(studio):
    studio.buttons["Run"].click()
    studio.buttons["Pause"].click()
    studio.controls["include"].value = "  "
    assert "at least one text" in studio.message.value
    assert studio.run.settings.include == ["a red apple"]
    studio.controls["include"].value = "a fox:0"
    studio.buttons["Step"].click()
    assert "sum to nothing" in studio.message.value
    assert studio.run.settings.include == ["a red apple"] and len(studio.run.history) == 1


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
    studio.tries[0].name.value = "my apple"
    studio.tries[0].open.click()
    assert studio.run is first and "my apple: is finished" in studio.message.value
    assert studio.controls["include"].value == "a red apple"


def test_looking_back_pauses(studio):
    studio.buttons["Run"].click()
    while len(studio.run.frames) < 3:
        tick(studio)
    assert studio.back.value == len(studio.run.frames) - 1
    studio.back.value = 0
    assert not studio.playing and "step 0 of picture 1" in studio.status.value


def test_tries_are_compared_side_by_side(studio):
    studio.buttons["Run"].click()
    finish(studio)
    studio.back.value = 1
    studio.controls["learning_rate"].value = 0.7
    studio.go_on.click()
    finish(studio)
    first, second = studio.tries
    first.compare.value = True
    assert studio.compared.layout.display == "none"
    second.compare.value = True
    assert studio.compared.layout.display == "" and studio.compared.value[1:4] == b"PNG"
    assert studio_module.differences(second.run.settings, first.run.settings) == "learning rate 0.7"


def test_drafts_do_not_block_and_one_is_promoted(studio):
    studio.buttons["6 drafts"].click()
    tick(studio)
    assert studio.playing and "draft 1 of 6" in studio.message.value
    assert studio.buttons["Pause"].description == "Pause"
    finish(studio)
    assert len(studio.sheet.children) == DRAFTS
    pictures = {bytes(slot.children[0].value) for slot in studio.sheet.children}
    assert len(pictures) == DRAFTS and all(s.layout.display == "" for s in studio.sheet.children)
    studio.sheet.children[4].children[1].click()
    assert studio.playing and studio.run.settings.seed == 4
    assert studio.run.settings.total_iter == 8
    assert studio.status.value == "starting" and studio.curves.layout.display == "none"


def test_a_long_session_makes_no_more_widgets(studio):
    # Every live widget is held here: by the class in 7, by the module in 8.
    registry = getattr(studio_module.w.widgets.widget, "_instances", None)
    registry = ipywidgets.Widget.widgets if registry is None else registry
    studio.paint()
    export(studio)
    before = len(registry)
    for _ in range(3):
        studio.stop()
        export(studio)
        studio.buttons["6 drafts"].click()
        finish(studio)
        studio.tries[0].open.click()
    assert len(registry) == before


@pytest.mark.parametrize("kind", ["PNG", "GIF", "MP4"])
def test_export_and_restore(studio, pair, tmp_path, kind):
    studio.controls["noise_factor"].value = 0.5
    studio.controls["extras"].value = "on a green background"
    studio.buttons["Run"].click()
    finish(studio)
    wanted = studio.run.settings
    studio.kind.value = kind
    export(studio)
    path = tmp_path / f"picture.{kind.lower()}"
    assert path.exists() and f'download="{path.name}"' in studio.link.value
    other = vq.Studio(pair, folder=tmp_path)
    drop(other.upload, path.name, path.read_bytes())
    assert "restored" in other.message.value
    assert other.settings == wanted
    drop(other.upload, "", None)
    assert "Error" not in other.message.value
    drop(other.upload, "mine.png", a_png("red"))
    assert "not written by vqclip_nb" in other.message.value and other.settings == wanted


def test_png_of_the_frame_one_went_back_to(studio, tmp_path):
    studio.paint()
    studio.kind.value, studio.back.value = "PNG", 1
    export(studio)
    frame, path = studio.run.frames[1], tmp_path / "picture.png"
    assert Image.open(path).tobytes() == frame.image.tobytes()
    assert read_recipe(path)["steps"] == frame.iteration + 1 < len(studio.run.history)


def test_restoring_asks_for_the_pair_that_painted_it(studio, pair, tmp_path):
    studio.paint()
    for name, said in (("imagenet", "press Run"), ("mine", "not here: mine")):
        studio.run.pair = dataclasses.replace(pair, name=name)
        path = studio.run.save_png(tmp_path / f"{name}.png")
        other = vq.Studio(pair, folder=tmp_path)
        drop(other.upload, path.name, path.read_bytes())
        assert said in other.message.value
        assert other.pair_name.value == ("imagenet" if name == "imagenet" else "emoji")


def drop(upload, name: str, content: bytes | None) -> None:
    """What the front-end does when a person drops a file, or takes it away, in ipywidgets 7 and
    8."""
    if content is None:
        upload.set_trait("value", {} if ipywidgets.__version__ < "8" else ())
    elif ipywidgets.__version__ < "8":
        upload.set_trait("value", {name: {"metadata": {"name": name}, "content": content}})
    else:
        facts = {"size": len(content), "type": "", "last_modified": datetime.now()}
        upload.value = ({"name": name, "content": content, **facts},)


def a_png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


def export(studio) -> None:
    next(b for b in buttons(studio) if b.description == "Export").click()


def test_export_has_the_chosen_size_counts_and_overwrites_nothing(studio, tmp_path):
    studio.paint()
    counted = []
    studio.progress.observe(lambda c: counted.append(c["new"]), "value")
    studio.side.value, studio.boomerang.value = 96, True
    export(studio)
    export(studio)
    assert (tmp_path / "picture-2.gif").exists()
    with Image.open(tmp_path / "picture.gif") as gif:
        assert gif.size == (96, 96) and gif.n_frames == 2 * len(studio.run.frames) - 2
    assert counted and counted[-1] == studio.progress.max
    assert studio.progress.layout.display == "none"


def test_morph_goes_through_all_pictures_of_a_run(studio, tmp_path):
    studio.motion.value = "morph"
    studio.controls["include"].value = "a red apple\na blue heart"
    studio.paint()
    export(studio)
    with Image.open(tmp_path / "picture.gif") as gif:
        assert gif.n_frames == 13
    studio.controls["include"].value = "a red apple"
    studio.paint()
    export(studio)
    assert "at least two pictures" in studio.message.value
    for one in studio.tries:
        one.compare.value = True
    export(studio)
    with Image.open(tmp_path / "picture-2.gif") as gif:
        assert gif.n_frames > 13


def test_colab_downloads_through_its_own_call(studio, monkeypatch):
    asked = []
    colab = types.ModuleType("google.colab")
    colab.files = types.SimpleNamespace(download=asked.append)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    studio.paint()
    export(studio)
    assert studio.download.description == "Download picture.gif"
    assert studio.download.layout.display == ""
    studio.download.click()
    assert asked == [str(studio.folder / "picture.gif")]


def test_start_from_an_uploaded_picture(studio):
    drop(studio.start_picture, "red.png", a_png("red"))
    studio.controls["learning_rate"].value = 0.001
    studio.controls["total_iter"].value = 1
    run = studio.paint()
    red, green, blue = run.image.resize((1, 1)).getpixel((0, 0))
    assert red > green + 40 and red > blue + 40


def test_another_pair_is_loaded_by_run_and_keeps_a_size_that_was_chosen(studio, pair, monkeypatch):
    other = dataclasses.replace(pair, name="imagenet", size=96)
    monkeypatch.setattr(studio_module, "load_pair", lambda name: other)
    studio.controls["width"].value = pair.size
    studio.pair_name.value = "imagenet"
    assert "press Run" in studio.message.value and studio.pair is pair
    studio.buttons["Run"].click()
    assert studio.run.pair is other and studio.run.size == (64, 96)


def widgets(box):
    for child in getattr(box, "children", ()):
        yield child
        yield from widgets(child)


def buttons(box):
    return (child for child in widgets(box) if isinstance(child, ipywidgets.Button))


def test_a_session_that_was_cut_off_can_go_on(studio, pair, tmp_path):
    studio.controls["total_iter"].value = 60
    studio.buttons["Run"].click()
    tick(studio)
    done = len(studio.run.history)
    assert 0 < done < 60
    again = vq.Studio(pair, folder=tmp_path)
    (offer,) = again.offer.children
    offer.click()
    assert 0 < len(again.run.history) <= done and again.playing
    assert again.run.history == studio.run.history[: len(again.run.history)]
    finish(again)
    assert len(again.run.history) == 60
    assert not vq.Studio(pair, folder=tmp_path).offer.children


def test_a_session_that_cannot_be_saved_is_said_and_painting_goes_on(studio, monkeypatch):
    def full(run, path):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(vq.Run, "save", full)
    said = []
    studio.message.observe(lambda c: said.append(c["new"]), "value")
    assert studio.paint().done and any("No space left" in text for text in said)


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
    assert studio.figure._repr_png_()[1:4] == b"PNG"


def test_an_interrupt_keeps_everything(studio, monkeypatch):
    step = vq.Run.step

    def interrupted(run):
        if len(run.history) == 3:
            raise KeyboardInterrupt
        return step(run)

    monkeypatch.setattr(vq.Run, "step", interrupted)
    run = studio.paint()
    assert (
        len(run.history) == 3 and not studio.playing and "stopped after 3" in studio.message.value
    )
    monkeypatch.setattr(vq.Run, "step", step)
    studio.buttons["Pause"].click()
    finish(studio)
    assert studio.run is run and len(run.history) == 8


def test_presets_fill_the_controls(studio):
    studio.preset.value = "report"
    assert studio.settings == vq.Settings.preset("report", include="a red apple")
