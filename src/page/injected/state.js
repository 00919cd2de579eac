  // ---- what an element is like right now ---------------------------------------------------------------------------

  const INTERACTIVE = 'button,select,input,textarea,option,optgroup,a[href],[role=button],[role=link],[role=checkbox],[role=radio],[role=switch],[role=menuitem],[role=option],[role=tab]';

  const closestUp = (el, css) => {
    for (let node = el; node; node = up(node)) if (node.matches(css)) return node;
    return null;
  };
  // The control that a user means: an element's own, or the one that its label belongs to.
  const controlOf = el => {
    if (el.matches('input,textarea,select,button,option') || el.isContentEditable) return el;
    const label = closestUp(el, 'label');
    return (label && label.control) || closestUp(el, 'button') || el;
  };

  const isEnabled = el => {
    const control = controlOf(el);
    if (control.matches(':disabled')) return false;
    for (let node = control; node; node = up(node)) {
      if (node.getAttribute('aria-disabled') === 'true') return false;
      // What is inside a disabled native control (a span in a button) is as disabled as it.
      if (node !== control && node.matches('button:disabled')) return false;
    }
    return true;
  };

  const isEditable = el => {
    const control = controlOf(el);
    if (control.matches('input,textarea,select')) return !control.readOnly && control.getAttribute('aria-readonly') !== 'true';
    return control.isContentEditable;
  };

  const boxOf = el => {
    const { x, y, width, height } = el.getBoundingClientRect();
    return [x, y, width, height];
  };
  const sameBox = (a, b) => a.every((value, i) => Math.abs(value - b[i]) < 0.01);

  // Where to point: the middle of the first box of the element that has an area in the viewport (an inline element that
  // wraps has several, and the middle of their union may lie in none), or the asked place in it.
  const pointIn = (el, position) => {
    if (position) {
      const box = el.getBoundingClientRect();
      return [box.left + el.clientLeft + position[0], box.top + el.clientTop + position[1]];
    }
    let rects = Array.from(el.getClientRects());
    if (!rects.length) {
      const range = document.createRange();
      range.selectNodeContents(el);
      rects = Array.from(range.getClientRects());
    }
    for (const rect of rects) {
      const left = Math.max(rect.left, 0), right = Math.min(rect.right, innerWidth);
      const top = Math.max(rect.top, 0), bottom = Math.min(rect.bottom, innerHeight);
      if (right - left >= 1 && bottom - top >= 1) return [(left + right) / 2, (top + bottom) / 2];
    }
    return null;
  };
  const inViewport = ([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;

  // Whether scrolled containers cut the element off at the point is found by the hit test; this brings it there.
  const ALIGN = ['center', 'end', 'start', 'nearest'];
  const bring = (el, turn) => {
    const block = ALIGN[turn % ALIGN.length];
    el.scrollIntoView({ block, inline: block, behavior: 'instant' });
  };

  // Whether what covers the element leaves room beside itself: a sticky head, not a curtain over everything.
  const floats = (el, hit) => {
    for (let node = hit; node && !contains(node, el); node = up(node)) {
      if (!/^(fixed|sticky)$/.test(getComputedStyle(node).position)) continue;
      const box = node.getBoundingClientRect();
      return box.width * box.height < 0.9 * innerWidth * innerHeight;
    }
    return false;
  };

  // The innermost element at a point, through shadow roots.
  const at = (x, y) => {
    let found = null;
    for (let root = document; root;) {
      const el = root.elementFromPoint(x, y);
      if (!el || el === found) break;
      found = el;
      root = el.shadowRoot || closed.get(el) || null;
    }
    return found;
  };

  // Whether an event that lands on `hit` is one that `el` was meant to get: it, something inside it, a label of it, or
  // anything in the button or link that it is a part of.
  const receives = (el, hit) => {
    if (!hit) return false;
    if (contains(el, hit)) return true;
    const control = controlOf(el);
    if (control !== el && contains(control, hit)) return true;
    const whole = closestUp(el, 'button,a[href],[role=button],[role=link]');
    if (whole && contains(whole, hit)) return true;
    const label = closestUp(hit, 'label');
    if (label && (label.control === control || contains(label, el))) {
      // Another control inside the label would take the click for itself.
      const taker = closestUp(hit, INTERACTIVE);
      return !taker || taker === el || !contains(label, taker) || contains(taker, label);
    }
    return false;
  };
  // What covers it, in words: the outermost element over the point that does not hold the target.
  const cover = (el, hit) => {
    if (!hit) return 'nothing (the point is outside of the viewport)';
    let top = hit;
    for (let node = up(hit); node && !contains(node, el); node = up(node)) top = node;
    return top === hit ? preview(hit) : `${preview(hit)} in ${preview(top).replace(/>.*/s, '>')}`;
  };

  // A frame, or a moment where frames do not come (a hidden or occluded tab).
  // Answers whether it was a frame.
  const frame = (patience = 100) => new Promise(done => {
    const timer = setTimeout(() => done(false), document.hidden ? 16 : patience);
    requestAnimationFrame(() => { clearTimeout(timer); done(true); });
  });
  // An animation that has been asked for and not yet begun (it begins with a frame): its element stands still for the last
  // time.
  const aboutToMove = el => !document.hidden && document.getAnimations().some(one => one.pending && one.effect?.target && contains(one.effect.target, el));

  const WAKERS = ['transitionend', 'animationend', 'scroll', 'input', 'change', 'load', 'toggle', 'focusin'];
  let lastLook = 0;
  // Resolves when the page has changed, or after `ms`. Not more often than once a frame on a page that never rests.
  const change = ms => new Promise(done => {
    const watch = new MutationObserver(() => finish(true));
    const options = { subtree: true, childList: true, attributes: true, characterData: true };
    watch.observe(document, options);
    if (anyShadow()) for (const el of below(document)) { const shadow = shadowOf(el); if (shadow) watch.observe(shadow, options); }
    const wake = () => finish(true);
    for (const kind of WAKERS) addEventListener(kind, wake, { capture: true, passive: true });
    addEventListener('resize', wake);
    const timer = setTimeout(() => finish(false), ms);
    let over = false;
    function finish(changed) {
      if (over) return;
      over = true;
      watch.disconnect();
      clearTimeout(timer);
      for (const kind of WAKERS) removeEventListener(kind, wake, { capture: true });
      removeEventListener('resize', wake);
      if (changed && now() - lastLook < 16) frame().then(done); else done();
    }
  });
  R.change = async ms => { fresh(); lastLook = now(); await change(ms); return { t: 'ok' }; };
