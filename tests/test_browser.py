"""The Studio in a real Chromium, on a real JupyterLab server and as a Voilà page."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import vqclip_nb as vq

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "1_studio.ipynb"
SHOTS = os.environ.get("VQCLIP_SHOTS")  # a folder to keep a screenshot of each stage in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def serve(tmp_path, browser):
    """Start a server on a copy of the notebook; gives a page on it."""
    started = []

    def start(*command: str, path: str) -> "playwright.Page":
        shutil.copy(NOTEBOOK, tmp_path / NOTEBOOK.name)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        log = open(tmp_path / "server.log", "w")
        environment = {**os.environ, "VQCLIP_CACHE": str(tmp_path / "cache")}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", *command, f"--port={port}", "--no-browser"],
                cwd=tmp_path,
                stdout=log,
                stderr=log,
                env=environment,
            )  # fmt: skip
        )
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
                break
            except OSError:
                time.sleep(0.5)
        page = browser.new_page(viewport={"width": 1300, "height": 1500})
        page.set_default_timeout(90_000)
        page.goto(f"http://127.0.0.1:{port}{path}")
        return page

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def shot(page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def steps(page) -> int:
    """How far the Studio says it is."""
    page.wait_for_function("() => /step \\d+ of/.test(document.body.innerText)")
    return int(page.evaluate("() => document.body.innerText.match(/step (\\d+) of/)[1]"))


def steer(page, tmp_path) -> None:
    """Type, run, move two sliders, pause, step, go back, branch, export, restore."""
    button = lambda name: page.get_by_role("button", name=name, exact=True)  # noqa: E731
    page.get_by_label("include").fill("a sunflower on a blue background")
    button("Run").click()
    page.wait_for_function("() => /step [1-9]\\d* of/.test(document.body.innerText)")
    for label in ("learning rate", "noise factor"):
        slider = page.locator(".widget-hslider", has_text=label)
        before = slider.locator(".widget-readout").inner_text()
        track = slider.locator(".noUi-base")
        track.click(position={"x": 0.8 * track.bounding_box()["width"], "y": 2})
        assert slider.locator(".widget-readout").inner_text() != before
        page.get_by_text(f"{label} takes effect with the next step").wait_for()
    shot(page, "running")
    button("Pause").click()
    button("Continue").wait_for()
    at = steps(page)
    button("Step").click()
    page.wait_for_function(f"() => document.body.innerText.includes('step {at + 1} of')")
    button("Continue").click()
    page.get_by_text("done: go back").wait_for()
    shot(page, "done")
    track = page.locator(".widget-hslider", has_text="go back").locator(".noUi-base")
    track.click(position={"x": 0.3 * track.bounding_box()["width"], "y": 2})
    page.get_by_text("of picture 1").wait_for()
    shot(page, "back")
    button("Continue from here").click()
    page.get_by_text("a new try from step").wait_for()
    page.get_by_text("done: go back").wait_for()
    shot(page, "branched")
    button("Export").click()
    with page.expect_download() as download:
        page.get_by_text("download picture.gif").click()
    saved = tmp_path / "downloaded.gif"
    download.value.save_as(saved)
    settings = vq.open_recipe(saved)
    assert settings.include == ["a sunflower on a blue background"]
    page.get_by_label("include").fill("something else")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="restore from a file").click()
    chooser.value.set_files(saved)
    page.get_by_text("controls restored").wait_for()
    assert page.get_by_label("include").input_value() == settings.include[0]
    shot(page, "restored")


def test_in_jupyterlab(serve, tmp_path):
    page = serve(
        "jupyterlab",
        "--IdentityProvider.token=",
        "--allow-root",
        path=f"/lab/tree/{NOTEBOOK.name}?reset",
    )
    page.get_by_text("| Idle").wait_for(timeout=60_000)  # before that the menu has nothing to run
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.get_by_role("button", name="Run", exact=True).wait_for()
    page.get_by_text("similarity 0.").last.wait_for()
    shot(page, "opened")
    steer(page, tmp_path)


def test_as_a_voila_page(serve, tmp_path):
    page = serve("voila", NOTEBOOK.name, "--strip_sources=True", path="/")
    page.get_by_role("button", name="Run", exact=True).wait_for()
    steer(page, tmp_path)
