"""What a page of the Studio looks like, measured: where things stand, what is cut, what is said."""

import re

# Each measure is taken in one call, for a call takes longer than what it asks.
MEASURE = """() => {
  const studio = document.querySelector('.vq-studio'), area = studio.getBoundingClientRect();
  const all = what => [...studio.querySelectorAll(what)].filter(e => e.offsetParent);
  const box = e => { const r = e.getBoundingClientRect();
    return {left: r.left, right: r.right, top: r.top, bottom: r.bottom, width: r.width} };
  const words = e => e.innerText || e.value || e.outerHTML;
  const outside = e => { const r = e.getBoundingClientRect();
    return r.width < 16 || r.left < area.left - 2 || r.right > area.right + 2 };
  const cut = e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 3;
  const seen = '.vq-tile *, .vq-swatch, .vq-upload, [type=checkbox]';
  const wide = [document.documentElement];
  for (let e = studio; e; e = e.parentElement)
    if (e === studio || /auto|scroll/.test(getComputedStyle(e).overflowX)) wide.push(e);
  return {
    page: {width: innerWidth, height: innerHeight},
    studio: box(studio),
    large: [...document.images].filter(
      i => i.offsetParent && i.width >= 200 && !i.matches('.vq-curves')).map(i => i.width),
    scrolls: wide.filter(e => e.scrollWidth > e.clientWidth + 1).map(
      e => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`),
    outside: all('button, input, select, textarea').filter(
      e => !e.matches('[type=checkbox]') && outside(e)).map(e => [words(e), box(e)]),
    cut: all('button, label').filter(e => !e.matches(seen) && e.innerText && cut(e)).map(words),
    sliders: all(':is(.noUi-base, .ui-slider)').map(e => e.clientWidth),
    uploads: all('.vq-upload').map(e => [e.textContent.replace(/ \\(\\d+\\)/, '').trim(),
      getComputedStyle(e, '::after').content.split('"')[1], getComputedStyle(e).fontSize]),
    disabled: all('button').filter(e => e.disabled).map(words),
    row: box(studio.querySelector('.vq-stage > .vq-buttons')),
    ...Object.fromEntries(['picture', 'stage', 'side', 'ask', 'run', 'status', 'link'].map(
      name => [name, box(studio.querySelector('.vq-' + name))])),
  } }"""

CONTRASTS = """() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = parts(c).slice(0, 3).map(v => { v /= 255;
    return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 });
    return .2126 * r + .7152 * g + .0722 * b };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor, p = parts(c);
    if (p.length < 4 || p[3] > .99) return c } return 'rgb(255, 255, 255)' };
  const what = ':is(button:not(.vq-swatch), input:not([type=checkbox]), select, textarea, ' +
    'label, a, .vq-line, .vq-status div, .vq-title, ' +
    '.jupyter-widget-Collapse-header)';
  return [...document.querySelectorAll('.vq-studio ' + what)]
    .filter(e => e.offsetParent && (e.innerText || e.value) && !e.disabled)
    .filter(e => getComputedStyle(e).fontSize !== '0px')
    .map(e => { const a = light(getComputedStyle(e).color), b = light(behind(e));
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.innerText || e.value] }) }"""

HEADERS = ":is(.jupyter-widget-Collapse-header, .p-Collapse-header)"  # of ipywidgets 8 and 7
IS_OPEN = "e => e.getAttribute('aria-expanded') === 'true'"


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def number(page, name: str):
    return page.get_by_role("textbox", name=name, exact=True)


def set_number(page, name: str, value: str) -> None:
    number(page, name).fill(value)
    number(page, name).press("Tab")


def drawer(page, name: str) -> None:
    """Open a drawer, unless it is open."""
    header = page.locator(f".vq-side {HEADERS}", has_text=name)
    if header.get_attribute("aria-expanded") != "true":
        header.click()
        page.wait_for_function(IS_OPEN, arg=header.element_handle())


def prompt(page):
    return page.get_by_role("textbox", name="prompt", exact=True)


def the_card_comes_first(page) -> None:
    """Its four sliders are in sight, in its order and by its names, before all other controls."""
    labels = list(filter(None, page.locator(".vq-side label").all_inner_texts()))
    assert labels[:4] == ["learning rate", "iterations", "activation", "noise factor"]
    for name in labels[:4]:
        box = page.get_by_role("slider", name=name, exact=True).bounding_box()
        assert 0 < box["y"] < page.viewport_size["height"] - 20


def painting(page, total: int) -> None:
    """Wait until a new picture is on its way."""
    page.wait_for_function(f"() => /step [1-9]\\d* of {total} ·/.test(document.body.innerText)")


def done(page) -> None:
    page.get_by_text("Done. Look back").wait_for()


def stop(page) -> None:
    button(page, "Stop").click()
    page.get_by_text("Stopped after").wait_for()


def all_can_be_read(page) -> None:
    """All words contrast with what is behind them, by WCAG's formula."""
    found = page.evaluate(CONTRASTS)
    assert len(found) > 20
    pale = [(ratio, words) for ratio, words in found if ratio < 4.5]
    assert not pale, pale


def stands_well(page, part: str = ".vq-studio") -> dict:
    """Nothing is cut, hidden or beside the page, and a screen reader can say all of `part`."""
    found = page.evaluate(MEASURE)
    assert not (found["scrolls"] or found["outside"] or found["cut"]), found
    assert len(found["sliders"]) >= 3 and min(found["sliders"]) >= 60
    for said, shown, size in found["uploads"]:  # its "(0)" is not to be seen
        assert said == shown and size == "0px"
    tree = page.locator(part).aria_snapshot()
    roles = "button|textbox|combobox|spinbutton|checkbox|slider|img|link"
    assert not re.findall(rf'^ *- (?:{roles})(?! "\S).*', tree, re.M), tree
    assert not re.search(r"\bw1\b|\bw2\b|total iter|\(0\)\n|\['|/tmp|, noto", tree)
    return found


def one_large_picture(page, device: str) -> None:
    """After "Run All" all that matters is in sight, the picture first."""
    found = stands_well(page)
    height, width = found["page"]["height"], found["studio"]["width"]
    for _ in range(80):  # the page brings the prompt to its top when the first picture is there
        if found["row"]["bottom"] <= height:
            break
        page.wait_for_timeout(250)
        found = stands_well(page)
    assert len(found["large"]) == 1  # on the whole page: no output shows it again
    at_least = {"desk": 512, "tablet": min(512, width - 340), "phone": 0.95 * width}
    assert found["large"][0] >= at_least[device]
    for name in ("ask", "run", "status"):
        assert found[name]["top"] >= 0 and found[name]["bottom"] <= height, (name, found)
    assert found["row"]["bottom"] <= height, found  # the picture, and the buttons below it
    stage, side = found["stage"], found["side"]
    if width <= 700:
        assert side["top"] >= stage["bottom"] and abs(side["width"] - stage["width"]) < 3
    else:
        assert side["left"] >= stage["right"] and abs(side["top"] - stage["top"]) < 3
    assert {"Pause", "Step", "Stop"} == set(found["disabled"])
    assert page.locator(".vq-studio .mod-primary").count() == 1


def keys_reach_all(page) -> None:
    """From the prompt to Run to the buttons below the picture; drawers open and close."""
    prompt(page).focus()
    for wanted in ("Run", "Drafts"):
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.innerText") == wanted
    drawers = page.locator(HEADERS).all()
    for drawer in drawers:
        drawer.focus()
        page.keyboard.press("Enter")
        page.wait_for_function(IS_OPEN, arg=drawer.element_handle())
        stands_well(page, ".widget-accordion")
    page.keyboard.press("Space")
    page.wait_for_function("() => !document.querySelector('.vq-studio [aria-expanded=true]')")


def a_run_is_seen(page, total: int) -> None:
    """Ctrl+Enter starts it: picture, progress and the time that is left are in sight."""
    prompt(page).press("Control+Enter")
    painting(page, total)
    before = page.locator(".vq-picture").get_attribute("src")
    found = page.evaluate(MEASURE)
    height = found["page"]["height"]
    for name in ("run", "status"):
        assert 0 <= found[name]["top"] and found[name]["bottom"] <= height
    assert 0 <= found["picture"]["top"] < 0.8 * height
    assert not {"Pause", "Step", "Stop"} & set(found["disabled"])
    assert re.match(rf"step \d+ of {total} · \d+ (s|min) left", page.inner_text(".vq-status"))
    share = "() => { const [a, b] = ['.vq-stage .progress-bar', '.vq-stage .vq-bar'].map("
    share += "s => document.querySelector(s).getBoundingClientRect().width); return a / b }"
    assert 0 < page.evaluate(share) < 1
    page.wait_for_function("src => document.querySelector('.vq-picture').src !== src", arg=before)


def a_file_is_offered(page) -> None:
    """Progress and the link that downloads the file stand beside the picture."""
    drawer(page, "Save")
    button(page, "Export").click()
    link = page.get_by_role("link", name=re.compile(r"^Download a-sunflower-on-.*gif$"))
    link.wait_for()
    found = page.evaluate(MEASURE)
    assert not page.locator(".vq-side .vq-bar").is_visible()
    assert re.search(r"[1-9]\d* kB|\d\.\d MB", page.inner_text(".vq-link"))
    if found["studio"]["width"] > 700:
        at, stage = found["link"], found["stage"]
        assert at["left"] >= stage["right"] and stage["top"] < at["bottom"] <= stage["bottom"] + 150


def looked_at(page, device: str) -> None:
    """What is to be so on every page: as it comes, opened, and while it paints."""
    one_large_picture(page, device)
    all_can_be_read(page)
    keys_reach_all(page)
    set_number(page, "iterations", "40")
    a_run_is_seen(page, 40)
    stop(page)
