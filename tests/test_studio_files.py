"""Export and restore, the gallery, start pictures, and runs that were cut off."""

import dataclasses
import io
import os
import subprocess
import sys
import time
import types
import warnings
from unittest.mock import Mock

import pytest
from crafting import picture
from PIL import Image
from safetensors import SafetensorError
from studio_tools import begin, click, drop, finish, move, offered, said, shown, tick

import vqclip_nb as vq
from vqclip_nb.recipe import read_recipe
from vqclip_nb.studio import autosave


@pytest.mark.parametrize("kind", ["PNG", "GIF", "MP4"])
def test_export_and_restore(studio, pair, tmp_path, kind):
    move(studio, noise_factor=0.5, extras="on a green background")
    wanted = studio.paint().settings
    studio.exporter.kind.value = kind
    click(studio, "Export")
    path = tmp_path / f"a-red-apple.{kind.lower()}"
    assert path.exists() and f'download="{path.name}"' in studio.exporter.link.value
    assert f"in {tmp_path}" in studio.exporter.link.value and not said(studio)
    assert Image.open(io.BytesIO(studio.exporter.preview.value)).width in (64, 512)
    other = vq.Studio(pair, folder=tmp_path)
    drop(other.upload, path.name, path.read_bytes())
    assert "as they were" in said(other) and other.settings == wanted
    drop(other.upload, "", None)
    assert not said(other, "error")
    drop(other.upload, "mine.png", picture())
    assert "mine.png holds no recipe" in said(other, "error") and "/" not in said(other, "error")
    assert other.settings == wanted


def test_restoring_asks_for_the_pair_that_painted_it(studio, pair, tmp_path):
    studio.paint()
    for name, words in (("imagenet", "Press Run"), ("mine", "not here: mine")):
        studio.run.pair = dataclasses.replace(pair, name=name)
        path = studio.run.save_png(tmp_path / f"{name}.png")
        other = vq.Studio(pair, folder=tmp_path)
        drop(other.upload, path.name, path.read_bytes())
        assert words in said(other)
        assert other.pairs.control.value == ("imagenet" if name == "imagenet" else "emoji")


def test_export_has_the_chosen_size_and_frame_counts_and_overwrites_nothing(
    studio, tmp_path, monkeypatch
):
    studio.paint()
    counted, exporter = [], studio.exporter
    exporter.bar.observe(lambda c: counted.append(c["new"]), "value")
    exporter.side.value, exporter.boomerang.value = 96, True
    click(studio, "Export", "Export")
    assert (tmp_path / "a-red-apple-2.gif").exists()
    with Image.open(tmp_path / "a-red-apple.gif") as gif:
        assert gif.size == (96, 96) and gif.n_frames == 2 * len(studio.run.frames) - 2
    assert counted and counted[-1] == exporter.bar.max and not shown(exporter.bar)
    exporter.kind.value, studio.preview.back.value, exporter.side.value = "PNG", 3, 64
    click(studio, "Export")
    frame, path = studio.preview.frame, tmp_path / "a-red-apple.png"
    assert Image.open(path).tobytes() == frame.image.tobytes()
    assert read_recipe(path)["steps"] == frame.iteration + 1 == 3
    asked, colab = [], types.ModuleType("google.colab")
    colab.files = types.SimpleNamespace(download=asked.append)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    click(studio, "Export")
    assert shown(exporter.download)
    click(studio, "Download")  # by Colab's own call
    assert asked == [str(tmp_path / "a-red-apple-2.png")]


def test_a_long_film_plays_six_seconds_and_the_next_run_takes_its_link_back(studio, tmp_path):
    studio.controls.set(total_iter=12, show_step=1, include="A red apple, on white!")
    studio.paint()
    studio.exporter.fps.value = 1
    click(studio, "Export")
    with Image.open(tmp_path / "a-red-apple-on-white.gif") as gif:
        times = [gif.seek(i) or gif.info["duration"] for i in range(gif.n_frames)]
    assert len(times) == 12 and sum(times) <= 7000  # with the last frame's second
    click(studio, "Run")
    assert not shown(studio.exporter.preview) and not studio.exporter.link.value


def test_start_from_an_uploaded_picture(studio):
    own = studio.start_picker.own
    drop(own.upload, "notes.txt", b"no picture")
    assert "notes.txt: this is no picture" in said(studio, "error")
    drop(own.upload, "wide.png", picture(size=(96, 64)))
    assert "wide.png" in said(studio) and shown(own.tile)
    assert not studio.controls["start_strength"].disabled
    with Image.open(io.BytesIO(studio.preview.picture.value)) as seen:  # as it will be cropped
        assert seen.size == (64, 64)
    move(studio, learning_rate=0.001, total_iter=1)
    run = studio.paint()
    red, green, blue = run.image.resize((1, 1)).getpixel((0, 0))
    assert red > green + 40 and red > blue + 40
    click(studio, "✕ remove start picture")
    assert not shown(own.tile)


def test_the_drawing_a_prompt_starts_from_is_said_and_others_are_offered(studio):
    picker, controls = studio.start_picker, studio.controls
    assert not picker.note.value
    controls.set(start="library", include="a fox")
    assert "starts from: fox, cartoon" in picker.note.value
    click(studio, "Other drawings")
    click(studio, "fox, flat icon")
    assert "start from this drawing" in said(studio) and not picker.note.value
    assert controls["init_image"].value.startswith("data:image/png")
    controls.set(init_image="")
    for values, note in (
        (dict(include="xyzzy"), "no drawing"),
        (dict(include="a fox", extras="a line drawing"), "starts from: fox, line"),
        (dict(extras="", regions=["left: a cat", "right: a dog"]), "right: dog, cartoon"),
    ):
        controls.set(**values)
        assert note in picker.note.value and not picker.others.children
        assert shown(picker.ask) == ("fox" in note)


def test_a_public_studio_opens_no_file_and_keeps_nothing(pair, small, tmp_path, cache, monkeypatch):
    cut_off(vq.Studio(pair, small(), folder=tmp_path))
    left = {p for p in tmp_path.rglob("*")}
    secret = tmp_path / "secret.png"
    monkeypatch.setenv("VOILA_BASE_URL", "/")
    public = vq.Studio(pair, small(total_iter=3), folder=tmp_path)
    assert not offered(public.controller.unfinished) and not public.gallery.paths
    assert public.pairs.control.options == ("emoji",)
    values = dict.fromkeys(["include", "extras", "init_image", "style_image"], f"{secret}")
    values |= {"exclude": f"a fox | {secret}:2", "regions": f"{secret}: a fox"}
    told = set()
    for there in (False, True):  # of which nothing is told
        secret.write_bytes(picture()) if there else None
        for name, value in values.items():
            move(public, **{name: value})
            told.add((name, said(public, "error")))
            click(public, "Run")
            assert public.run is None
            move(public, **{name: "a red apple" if name == "include" else ""})
    assert len(told) == 6 and all("upload the picture" in text for _, text in told)
    public.paint()
    click(public, "Export")
    assert "base64," in public.exporter.link.value and "/vqclip" not in public.exporter.link.value
    assert {p for p in tmp_path.rglob("*")} == left | {secret}
    folder = public.exporter.folder
    assert list(folder.glob("*.gif")) and list((folder / "gallery").glob("*.png"))
    public.visit._own.cleanup()  # no page sent a key: it goes with the kernel
    assert not folder.exists()


def test_finished_pictures_are_kept_across_sessions_and_restored_by_a_click(studio, pair, tmp_path):
    move(studio, seed=5)
    run = studio.paint()
    other = vq.Studio(pair, folder=tmp_path)
    (path,) = other.gallery.paths
    assert vq.replay(path, pair).image.tobytes() == run.image.tobytes()
    click(other, "a red apple")
    assert other.settings == run.settings and "as they were" in said(other)
    assert other.preview.picture.value == studio.preview.picture.value
    click(studio, "Export")  # the same picture: not kept twice
    other.gallery.show()
    assert len(other.gallery.paths) == 1


def test_the_gallery_turns_pages_and_removes_only_pictures_of_ours_if_it_has_a_limit(
    studio, monkeypatch
):
    run, gallery = studio.paint(), studio.gallery
    (path,) = gallery.paths
    folder = path.parent
    for i in range(20):  # copies under older names
        (folder / f"20200101-{i:06}-{i:012}.png").write_bytes(path.read_bytes())
    foreign = {folder / "mine.png", folder / "20180101-000000-000000000000.png"}
    (folder / "mine.png").write_bytes(path.read_bytes())
    (folder / "20180101-000000-000000000000.png").mkdir()
    gallery.show()
    assert len(gallery.paths) == 12 and not gallery.older.disabled
    click(studio, "Older")
    assert len(gallery.paths) == 9 and gallery.older.disabled
    click(studio, "Newer")
    assert gallery.newer.disabled and gallery.paths[0] == path
    gallery.add(run, run.frames[0])
    gallery.keep = 15
    monkeypatch.setattr(time, "strftime", lambda *_: "20010101000000")  # a clock set back
    newest = gallery.paths[0]
    gallery.add(run, run.frames[1])
    left = set(folder.iterdir())
    assert foreign < left and path in left and len(left - foreign) == 15
    assert gallery.paths[1] == newest
    assert "8 oldest pictures were removed" in said(studio)


def test_a_limit_that_is_no_number_of_pictures_is_refused(pair, cache):
    for wrong in (0, -1, True, 2.5, "all"):
        with pytest.raises(ValueError, match="None for all"):
            vq.Studio(pair, keep=wrong, public=True)
    # Each picture is some 150 kB on a server of somebody else's.
    assert vq.Studio(pair, public=True).gallery.keep == 100
    assert vq.Studio(pair, public=False).gallery.keep is None


def cut_off(studio, prompt="a red apple"):
    """A run with some steps done, saved, and no longer going on."""
    begin(studio, include=prompt, total_iter=60)
    click(studio, "Pause")
    return studio.run


def test_a_run_that_was_cut_off_can_go_on(studio, pair, tmp_path):
    run = cut_off(studio)
    done = len(run.history)
    assert 0 < done < 60
    again = vq.Studio(pair, folder=tmp_path)
    (offer,) = offered(again.controller.unfinished)
    assert "a red apple" in offer and f"step {done}" in offer
    click(again, offer)
    assert not offered(again.controller.unfinished) and again.run.history == run.history
    finish(again)
    assert len(again.run.history) == 60
    third = vq.Studio(pair, folder=tmp_path)
    assert not offered(third.controller.unfinished)
    for prompt in ("an owl", "a blue heart", "a fox"):  # none is lost to the next one
        cut_off(studio, prompt)
    third.controller.offer_unfinished()
    offers = zip(("fox", "heart", "owl"), offered(third.controller.unfinished), strict=True)
    assert all(word in offer for word, offer in offers)


@pytest.mark.slow
def test_a_killed_process_leaves_its_run_to_the_next_studio(studio, pair, tmp_path):
    code = """if True:
        import time, vqclip_nb as vq
        s = vq.Settings(include="a fox", total_iter=400, crops=4, height=64, width=64)
        studio = vq.Studio(vq.load_pair("emoji", device="cpu"), s)
        studio.buttons["Run"].click()
        studio.calls.guard(studio.ticker.tick)
        studio.autosave.save(studio.run)
        print("ready", flush=True)
        time.sleep(60)"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == "ready"
        studio.controller.offer_unfinished()
        assert not offered(studio.controller.unfinished)
    finally:
        process.kill()
        process.wait()
    studio.controller.offer_unfinished()
    click(studio, *offered(studio.controller.unfinished))
    assert studio.run.settings.include == ["a fox"] and len(studio.run.history) > 0


def test_only_the_oldest_runs_of_ours_are_removed_and_said(studio, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(autosave, "KEPT", 2)
    folder = studio.autosave.folder
    cut_off(studio, "a fox")
    foreign = folder / "session-000000-00000000.safetensors"
    foreign.write_bytes(b"damaged")
    old = time.time() - 31 * 86400
    for path in folder.glob("*.safetensors"):
        os.utime(path, (old, old))
    for prompt in ("an owl", "a cat", "a dog"):
        cut_off(studio, prompt)
    assert foreign.exists() and "older removed" in said(studio)
    offers = offered(vq.Studio(pair, folder=tmp_path).controller.unfinished)
    assert all(word in offer for word, offer in zip(("dog", "cat", "owl"), offers, strict=True))


def test_what_cannot_be_read_or_written_is_said_and_painting_goes_on(pair, small, monkeypatch):
    monkeypatch.setenv("VQCLIP_CACHE", "/proc/nowhere")
    full = SafetensorError("No space left on device")
    monkeypatch.setattr(vq.Run, "save", Mock(side_effect=full))
    with warnings.catch_warnings(action="error"):
        studio = vq.Studio(pair, small(init_image="gone.png"))
    assert "VQCLIP_CACHE" in said(studio, "warning")
    assert "no picture at 'gone.png'" in said(studio, "error")
    move(studio, init_image="")
    cut_off(studio)
    assert "No space left" in said(studio, "warning")
    click(studio, "Continue")
    finish(studio)
    assert studio.run.done


def test_looks_set_the_settings_and_follow_them(studio):
    looks, controls = studio.looks, studio.controls
    looks.words["colour"].value, looks.words["size"].value = "red", "small"
    looks.amounts["colour"].value, looks.amounts["size"].value = 0.5, 0.25
    assert studio.settings.attributes == ["red: 0.5", "small: 0.25"]
    assert controls["palette_weight"].disabled
    for name, palette in (("navy", ["navy"]), ("golden", ["navy", "golden"]), ("navy", ["golden"])):
        looks.swatches[name].click()
        assert studio.settings.palette == palette and not controls["palette_weight"].disabled
    drop(looks.style.upload, "red.png", picture())
    assert studio.settings.style_image.startswith("data:image/png")
    assert "paint in the style of red.png" in said(studio)
    click(studio, "✕ remove style picture")
    assert not studio.settings.style_image
    controls.set(attributes=["blue: 1", "big: 0.5", "a sticker: 0.75"])
    assert [choice.value for choice in looks.words.values()] == ["blue", "big", "a sticker"]
    looks.words["colour"].value = "as it is"
    assert studio.settings.attributes == ["big: 0.5", "a sticker: 0.75"]
    begin(studio, total_iter=60)
    looks.words["colour"].value = "red"
    assert "attributes: changes with the next step" in said(studio)
    time.sleep(0.8)  # a slider that is still being moved is waited for
    tick(studio)
    assert "red: 1" in studio.run.settings.attributes
