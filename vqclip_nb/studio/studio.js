(function wait(image, tries) {
  var studio = image.closest('.vq-studio');
  if (!studio) { if (tries) setTimeout(wait, 200, image, tries - 1); return; }
  var headers = '.jupyter-widget-Collapse-header, .p-Collapse-header';
  function each(what, call) { studio.querySelectorAll(what).forEach(call); }
  function name() {
    each(':is(.noUi-handle, .ui-slider-handle)', function (handle) {
      var row = handle.closest('.vq-row') || handle.closest('.vq-control');
      handle.setAttribute('aria-label', row.querySelector('label').innerText);
      var text = row.querySelector('.vq-number input');
      if (text) text.setAttribute('aria-label', row.querySelector('label').innerText);
      if (handle.matches('.noUi-handle')) return;
      handle.setAttribute('role', 'slider'); // version 7 gives it neither role nor value
      var shown = row.querySelector('input, .widget-readout');
      handle.setAttribute('aria-valuenow', shown.value || shown.innerText);
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
    var top = studio.querySelector('.vq-picture').getBoundingClientRect().top;
    var bottom = studio.querySelector('.vq-stage > .vq-buttons').getBoundingClientRect().bottom;
    if (top < 0 || bottom > innerHeight) studio.querySelector('.vq-ask').scrollIntoView();
  }
  function press(key, target) {
    key.preventDefault();
    key.stopPropagation();
    target.click();
  }
  // A key's change of the text can still be on its way when Enter is pressed: send the whole text.
  function enter_prompt() {
    var entered = studio.querySelector('.vq-entered input');
    entered.value = Date.now() + ' ' + studio.querySelector('.vq-prompt input').value;
    entered.dispatchEvent(new Event('change', {bubbles: true}));
    show();
  }
  studio.addEventListener('keydown', function (key) {
    var enter = key.key === 'Enter' && !key.isComposing, run = key.ctrlKey || key.metaKey;
    if (enter && (run || key.target.closest('.vq-prompt'))) {
      key.preventDefault();
      key.stopPropagation();
      key.target.dispatchEvent(new Event('change', {bubbles: true}));
      enter_prompt();
    } else if ((enter || key.key === ' ') && key.target.matches(headers)) press(key, key.target);
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
