"""How the Studio looks: colours from the page's theme where there are any, for light and dark."""

from __future__ import annotations

import html

import ipywidgets as w

NARROW = 700  # pixels of the Studio's own width below which its columns stack

CSS = """
.vq-studio { width: 100%; container-type: inline-size; gap: 6px; padding: 2px; }
.vq-studio .widget-box, .vq-studio .jupyter-widget-box { overflow: visible; margin: 0; }
.vq-studio .widget-html-content { line-height: 1.45; }
.vq-ask { gap: 8px; align-items: center; scroll-margin-top: 8px; }
.vq-ask > .vq-buttons { flex: 0 0 auto; }
.vq-ask > .vq-buttons > .vq-button { height: 36px; line-height: 36px; }
.vq-studio .vq-ask > .vq-prompt { flex: 1 1 260px; width: auto; min-width: 0;
  max-width: none; margin: 0; }
.vq-ask > .vq-prompt > label { width: auto; font-weight: 600; }
.vq-ask > .vq-prompt input { height: 36px; font-size: 16px; min-width: 0; }
.vq-ask > .vq-run { flex: 0 0 auto; min-width: 110px; height: 36px; line-height: 36px;
  font-weight: 600; font-size: 15px; background: #0b66c3; color: #fff; }
.vq-studio .vq-button { width: auto; flex: 0 1 auto; padding: 0 12px; margin: 0; overflow: hidden;
  text-overflow: ellipsis; }
.vq-studio .widget-vbox > .vq-button { align-self: flex-start; }
.vq-studio .vq-long > .vq-button { height: auto; min-height: 28px; padding: 4px 12px;
  line-height: 1.35; white-space: normal; overflow-wrap: anywhere; text-align: left; }
.vq-chips, .vq-buttons, .vq-pairs { flex-flow: row wrap; gap: 6px; align-items: center; }
.vq-studio .vq-upload { font-size: 0; } /* an upload counts its files behind its words: (0) */
.vq-studio .vq-upload::after { font-size: 13px; }
.vq-studio .vq-restore::after { content: "restore from a file" / ""; }
.vq-studio .vq-init_image::after { content: "start from a picture" / ""; }
.vq-studio .vq-style_image::after { content: "style picture" / ""; }
.vq-studio .vq-chip { border-radius: 14px; padding: 0 10px; }
.vq-studio .vq-swatch { width: 26px; height: 26px; padding: 0; border-radius: 50%; font-size: 0;
  border: 1px solid #888; }
.vq-studio .vq-chosen { outline: 3px solid #0b66c3; outline-offset: 1px; }
.vq-studio .vq-button:focus-visible { outline: 3px solid #0b66c3; outline-offset: 1px; }
.vq-messages { min-height: 34px; }
.vq-title { font-weight: 600; }
.vq-line { padding: 5px 10px; margin: 2px 0; border-radius: 4px; font-size: 14px; }
.vq-error { background: #fbe3e3; color: #7d0f0f; }
.vq-warning { background: #fdf0d0; color: #5c4300; }
.vq-note { background: #e6eef8; color: #1d3857; }
.vq-columns { gap: 20px; align-items: flex-start; }
.vq-stage { flex: 1 1 512px; min-width: 0; gap: 6px; }
.vq-side { flex: 0 99 350px; min-width: 300px; gap: 6px; } /* it gives way to the picture */
.vq-studio .vq-picture { width: 100%; height: auto; min-height: 0; margin: 0; object-fit: contain;
  aspect-ratio: auto; max-height: max(512px, calc(100vh - 388px)); }
.vq-progress { gap: 10px; align-items: center; }
.vq-bar { width: auto; flex: 1 1 120px; }
.vq-status { flex: 0 0 auto; font-variant-numeric: tabular-nums; }
.vq-sheet { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px;
  max-width: max(512px, calc(100vh - 388px)); }
.vq-tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(120px, 1fr));
  gap: 10px; }
.vq-tiles > * { max-width: 180px; }
.vq-studio .vq-tile { position: relative; padding-bottom: 28px; min-width: 0; }
.vq-studio .vq-tile > .widget-image { width: 100%; height: auto; margin: 0;
  aspect-ratio: 1; object-fit: contain; }
.vq-studio .vq-tile > .vq-button { position: absolute; inset: 0; width: 100%; height: 100%;
  background: transparent; display: block; text-align: left; padding: 0 4px; line-height: 26px;
  padding-top: calc(100% + 1px); cursor: pointer; border: 1px solid #8886; }
.vq-studio .vq-tile > .vq-button:hover { border-color: #0b66c3; box-shadow: 0 0 0 2px #0b66c3; }
.vq-studio .vq-try { gap: 2px; min-width: 0; }
.vq-studio .vq-try > .vq-tile { padding: 0; } /* its name stands below, to be changed */
.vq-studio .vq-try > .vq-tile > .vq-button { font-size: 0; }
.vq-studio .vq-try > :is(.widget-text, .widget-checkbox) { width: 100%; margin: 0; }
.vq-studio .vq-control { width: 100%; max-width: 520px; margin: 0; }
.vq-studio .vq-control > label { height: auto; line-height: 14px; align-self: center;
  white-space: normal; }
.vq-row { align-items: center; gap: 8px; max-width: 520px; }
.vq-row > .vq-control { flex: 0 1 205px; width: 205px; min-width: 180px; }
.vq-studio .vq-row > .vq-button { flex: 0 0 auto; }
.vq-row > .widget-slider { flex: 1 1 80px; width: auto; min-width: 60px; margin: 0 4px 0 0; }
.vq-pairs > .vq-control { flex: 1 1 150px; width: 150px; }
.vq-pairs > .widget-dropdown { flex: 1 1 100%; }
.vq-drawer, .vq-drawer .widget-vbox { gap: 6px; }
.vq-drafts, .vq-gallery { gap: 8px; }
.vq-drawer { padding: 4px 0; }
.vq-studio a.vq-download { font-weight: 600; text-decoration: underline; color: inherit; }
.vq-compared { width: 100%; height: auto; }
.vq-curves svg { width: 100%; height: 90px; border-bottom: 1px solid #8888; }
.vq-curves > div { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 12px; }
.vq-curves polyline { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
.vq-curves .vq-loss { stroke: #d1495b; } .vq-curves .vq-similarity { stroke: #2a7fbf; }
.vq-curves span { stroke: none; } .vq-curves span::before { font-weight: 700; }
.vq-curves span.vq-loss::before { content: "— "; color: #d1495b; }
.vq-curves span.vq-similarity::before { content: "— "; color: #2a7fbf; }
.vq-curves .vq-change { stroke: #888; stroke-dasharray: 3 3; }
.vq-help { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 3px 12px; }
.vq-help dt { font-weight: 600; } .vq-help dd { margin: 0; }
.vq-full .vq-columns { flex-direction: column; }
.vq-full .vq-stage, .vq-full .vq-side { flex: none; width: 100%; }
.vq-full .vq-stage .vq-picture { max-height: calc(100vh - 20px); }
@container (max-width: NARROWpx) {
  .vq-columns { flex-direction: column; }
  .vq-stage, .vq-side { flex: none; width: 100%; min-width: 0; }
  .vq-ask { flex-flow: row wrap; }
  .vq-studio .vq-ask > .vq-prompt { flex: 1 1 100%; }
  .vq-ask > .vq-run { flex: 1 1 100px; }
  .vq-sheet { grid-template-columns: repeat(2, 1fr); }
  .vq-studio .vq-button:not(.vq-swatch) { min-height: 34px; }
  .vq-studio .vq-swatch { width: 32px; height: 32px; }
}
@container (max-width: 340px) {
  .vq-row { flex-wrap: wrap; }
}
""".replace("NARROW", f"{NARROW}")


# What ipywidgets leaves out: Run by Ctrl or Cmd with Enter, of which it hears plain Enter alone;
# drawers by the keyboard; names of sliders and pictures for screen readers. "Run All" of a notebook
# scrolls to its end: the picture of a new Studio, and of Run, is brought into sight.
SCRIPT = """
(function wait(image, tries) {
  var studio = image.closest('.vq-studio');
  if (!studio) { if (tries) setTimeout(wait, 200, image, tries - 1); return; }
  var headers = '.jupyter-widget-Collapse-header, .p-Collapse-header';
  function each(what, call) { studio.querySelectorAll(what).forEach(call); }
  function name() {
    each('.vq-row :is(.noUi-handle, .ui-slider-handle)', function (handle) {
      var row = handle.closest('.vq-row');
      handle.setAttribute('aria-label', row.querySelector('label').innerText);
      if (handle.matches('.noUi-handle')) return;
      handle.setAttribute('role', 'slider'); // version 7 gives it neither role nor value
      handle.setAttribute('aria-valuenow', row.querySelector('input').value);
    });
    each('img.widget-image:not([alt])', function (picture) {
      picture.alt = picture.matches('.vq-picture') ? 'the picture' : '';
    });
    each(headers, function (header) {
      header.tabIndex = 0;
      header.setAttribute('role', 'button');
      header.setAttribute('aria-expanded', /Collapse-open/.test(header.parentNode.className));
    });
  }
  function show() {
    var at = studio.querySelector('.vq-picture').getBoundingClientRect();
    if (at.top < 0 || at.bottom > innerHeight) studio.querySelector('.vq-ask').scrollIntoView();
  }
  function press(key, target) {
    key.preventDefault();
    key.stopPropagation();
    target.click();
  }
  studio.addEventListener('keydown', function (key) {
    var enter = key.key === 'Enter';
    if (enter && key.target.closest('.vq-prompt')) show();
    if (enter && (key.ctrlKey || key.metaKey)) press(key, studio.querySelector('.vq-run'));
    else if ((enter || key.key === ' ') && key.target.matches(headers)) press(key, key.target);
  }, true);
  studio.addEventListener('click', function (click) {
    setTimeout(name);
    if (click.target.closest('.vq-run')) show();
  });
  ['focusin', 'keyup', 'pointerup'].forEach(function (what) {
    studio.addEventListener(what, function () { setTimeout(name, 300); });
  });
  new MutationObserver(name).observe(studio, {childList: true, subtree: true});
  name();
  var looks = 10;
  ['wheel', 'pointerdown', 'touchmove', 'keydown'].forEach(function (what) {
    document.addEventListener(what, function () { looks = 0; }, {capture: true, once: true});
  });
  (function look() {
    if (looks-- <= 0) return;
    show();
    setTimeout(look, 300);
  })();
})(this, 50)
"""


def style_sheet() -> w.HTML:
    """The style and the script, as a widget that shows nothing."""
    script = f'<img alt="" src="data:," onerror="{html.escape(SCRIPT)}">'
    sheet = w.HTML(f"<style>{CSS}</style>{script}")
    sheet.layout.display = "none"
    return sheet
