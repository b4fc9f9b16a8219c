"""A public Studio's visits: found again by the key of the page, by nothing else, and for a day."""

import os
import tempfile
import time

import pytest
from studio_tools import begin, click, finish, move, offered, said, tick

import vqclip_nb as vq
from vqclip_nb.studio import visit

KEY, OTHER = "0123456789abcdef" * 4, "f" * 64
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no locks of folders here")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Where the visits are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"vqclip-visits-{os.getuid()}"


@pytest.fixture
def page(pair, small):
    """Load the page: a new Studio that the notebook lets begin, then the key comes."""

    def load(key, steps=1, **changes):
        studio = vq.Studio(pair, small(**{"total_iter": 30} | changes), public=True)
        studio.start()
        tick(studio, steps)
        studio.visit.key.value = key
        return studio

    return load


def painted(studio):
    """With a run of the visitor's that is on its way, and is saved as when the kernel ends."""
    begin(studio, include="a blue heart")
    tick(studio)
    studio.visit._leave()
    studio.autosave.release()
    return studio


def test_the_cut_off_run_comes_back_paused_and_one_click_goes_on(page):
    first = page(KEY)
    assert first.ticker.playing and not first.gallery.paths
    steps = len(painted(first).run.history)
    click(first, "Export")  # which is not taken for a finished picture
    again = page(KEY)
    assert f"Paused at step {steps} of 30: press Continue." in said(again)
    assert again.run.history == first.run.history and not again.ticker.playing
    assert again.controls["include"].value == "a blue heart"
    assert len(again.history.items) == 1 and not offered(again.controller.unfinished)
    click(again, "Continue")
    tick(again)
    assert len(again.run.history) > steps and "Paused" not in said(again)
    finish(again)
    third = page(KEY)
    assert third.run.settings.include == ["a red apple"] and third.ticker.playing
    assert len(third.gallery.paths) == 2


def test_a_kernel_that_lives_on_leaves_its_run_to_the_page_that_is_loaded_again(page, monkeypatch):
    first = painted(page(KEY))
    first.ticker.begin(first.ticker.job)
    first.autosave.hold()
    steps = len(first.run.history)
    monkeypatch.setattr(time, "sleep", lambda _: tick(first))  # meanwhile it paints
    again = page(KEY)
    assert "page was opened again" in said(first)
    assert f"Paused at step {steps + 1} of 30" in said(again)
    click(again, "Continue")
    tick(again)
    assert again.ticker.playing and len(again.run.history) > steps + 1
    finish(again)
    first.visit._leave()  # later, as its kernel is let go: it brings nothing back
    assert not page(KEY).autosave.others(first.controls.pair)


STOPS = {
    "look back": lambda studio: setattr(studio.preview.back, "value", 1),
    "step": lambda studio: click(studio, "Step", "Step"),
    "an error": lambda studio: studio.calls.fail(RuntimeError("x")),
    "stop": lambda studio: click(studio, "Stop"),
    "drafts": lambda studio: (click(studio, "Drafts"), tick(studio)),
}


@pytest.mark.parametrize("how", STOPS)
def test_wherever_painting_stops_the_last_step_is_left_to_the_next_page(page, how, monkeypatch):
    first = page(KEY)
    begin(first, include="a blue heart")
    first.autosave.save(first.run)
    tick(first, 2)
    STOPS[how](first)
    monkeypatch.setattr(visit, "PATIENCE", 0)  # it is not waited for
    again = page(KEY)
    assert again.run.history == first.run.history and not again.ticker.playing
    assert f"Paused at step {len(first.run.history)} of 30" in said(again)


def test_two_pages_of_a_visit_never_go_on_with_the_same_run(page):
    first = painted(page(KEY))
    second = page(KEY)
    saved, steps = second.autosave.path, len(first.run.history)
    second.buttons["Pause"].click()
    tick(second)
    for name in ("Pause", "Step"):  # the first of them reads Continue now
        content = saved.read_bytes()
        first.buttons[name].click()
        tick(first)
        assert "going on in another Studio" in said(first, "error")
        assert not first.ticker.playing and len(first.run.history) == steps
        assert not first.autosave.held and saved.read_bytes() == content
        second.buttons["Pause"].click()  # then it rests, and is as little to be had
    click(first, "Continue from here")
    finish(first)
    assert first.run.done and saved.read_bytes() == content
    finish(second)
    assert second.run.done and not saved.exists()


@pytest.mark.parametrize("paused", [False, True])
def test_what_the_visitor_began_before_the_key_came_is_kept(page, paused):
    painted(page(KEY))
    again = page("")
    begin(again, include="a fox")
    run = again.run
    if paused:
        again.buttons["Pause"].click()
    again.visit.key.value = KEY
    assert again.run is run and again.controls["include"].value == "a fox"
    assert any("a blue heart" in offer for offer in offered(again.controller.unfinished))
    if not paused:
        again.buttons["Pause"].click()  # before another step
    assert vq.Run.resume(again.autosave.path, run.pair).history == run.history


def test_no_error_names_a_folder(page, root):
    studio = page(KEY)
    (studio.visit.folder / "file").touch()
    for keeper in (studio.autosave, studio.gallery, studio.exporter):
        keeper.folder = studio.visit.folder / "file" / "gone"
    studio.buttons["Pause"].click()
    studio.gallery.add(studio.run, studio.run.last)
    assert "is not in the gallery: Not a directory" in said(studio)
    studio.autosave.save(studio.run)
    assert "cannot be saved for later: Not a directory" in said(studio)
    click(studio, "Export")
    assert "A file cannot be read or written" in said(studio, "error")
    assert not any(part in said(studio) for part in ("/", "visit-", "gone"))


def test_a_run_begun_before_the_last_finished_picture_is_only_offered(page):
    first = painted(page(KEY))
    move(first, total_iter=2, include="a fox")
    click(first, "Run")
    finish(first)
    assert first.run.done
    for _ in range(2):  # what is finished before the key comes is kept, and once
        again = page(KEY, steps=20, total_iter=2)
        assert again.run.settings.include == ["a red apple"] and len(again.gallery.paths) == 2
        assert all(again.visit.folder in path.parents for path in again.gallery.paths)
    assert any("a blue heart" in offer for offer in offered(again.controller.unfinished))


def test_another_key_sees_nothing_and_what_is_no_key_changes_nothing(page, root):
    studio = page("")
    wrong = (KEY[:-1], KEY + "0", KEY + "\n", KEY.upper(), "g" * 64, "۱" * 64, "../" * 21 + "a")
    for key in wrong:
        studio.visit.key.value = key
        assert studio.visit.key.value == "" and not root.exists()
    assert studio.visit.folder.name.startswith("vqclip-") and studio.ticker.playing
    assert not said(studio, "error")
    painted(page(KEY))
    other = page(OTHER)
    for _ in range(2):
        assert other.run.settings.include == ["a red apple"] and other.ticker.playing
        assert not offered(other.controller.unfinished) and not other.gallery.paths
        other.visit.key.value = KEY  # the first one counts
    assert other.visit.folder != root / f"visit-{KEY}" and len([*root.iterdir()]) == 2
    assert root.stat().st_mode & 0o777 == 0o700


def test_old_visits_are_removed_and_nothing_else(page, root):
    held = page(KEY).visit.folder
    old = time.time() - visit.KEPT - 10
    gone, fresh = root / f"visit-{'0' * 64}", root / f"visit-{'1' * 64}"
    foreign = [root / "mine", root / f"visit-{'2' * 63}", root / f"visit-{'3' * 64}-mine"]
    for folder in (gone, fresh, *foreign):
        (folder / "gallery").mkdir(parents=True)
        (folder / "gallery" / "a.png").write_bytes(b"a")
    away, link = root.parent / "away", root / f"visit-{'4' * 64}"
    away.mkdir()
    (gone / "link").symlink_to(away)
    link.symlink_to(away)
    foreign += [away, link]
    for folder in (held, gone, fresh, *foreign):
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (old, old), follow_symlinks=False)
    os.utime(fresh / "gallery" / "a.png")  # written to today
    page(OTHER)
    assert not gone.exists()
    assert all(path.exists() for path in (held, fresh, *foreign))


@pytest.mark.parametrize("what", ["open to others", "a link"])
def test_a_root_that_others_prepared_is_not_used(page, root, what):
    if what == "a link":
        (root.parent / "theirs").mkdir(0o700)
        root.symlink_to("theirs")
    else:
        root.mkdir()
        root.chmod(0o755)
    studio = page(KEY)
    assert studio.visit.folder.name.startswith("vqclip-") and not [*root.iterdir()]
    assert studio.ticker.playing and not said(studio, "error")
