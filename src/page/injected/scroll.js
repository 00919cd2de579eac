  // ---- scrolling ---------------------------------------------------------------------------------------------------

  const AXES = { down: ['Top', 'Height', 1], up: ['Top', 'Height', -1], right: ['Left', 'Width', 1], left: ['Left', 'Width', -1] };
  const overflows = (el, size) => el[`scroll${size}`] > el[`client${size}`] + 1 && el[`client${size}`] > 0;
  const overflow = (el, size) => getComputedStyle(el)[size === 'Height' ? 'overflowY' : 'overflowX'];
  // The viewport takes what the root says, or else the body. Only a script can scroll it where that is `hidden`.
  const isLocked = size => {
    const root = document.documentElement;
    const own = overflow(root, size);
    return /hidden|clip/.test(own === 'visible' && document.body ? overflow(document.body, size) : own);
  };
  const scrolls = (el, size) => {
    if (!overflows(el, size)) return false;
    if (el === document.scrollingElement) return !isLocked(size);
    return /auto|scroll|overlay/.test(overflow(el, size));
  };
  // What a reader would scroll: the element or what it scrolls in; else the page; else, where the page itself does not scroll, the
  // largest part of it that does.
  const scrollerFor = (el, size) => {
    const whole = document.scrollingElement || document.documentElement;
    for (let node = el; node; node = up(node)) if (scrolls(node, size)) return node;
    if (scrolls(whole, size)) return whole;
    let best = whole, area = 0;
    if (!el) for (const one of below(document)) {
      if (!overflows(one, size) || !scrolls(one, size)) continue;
      const box = one.getBoundingClientRect();
      const seen = Math.max(0, Math.min(box.right, innerWidth) - Math.max(box.left, 0)) * Math.max(0, Math.min(box.bottom, innerHeight) - Math.max(box.top, 0));
      if (seen > area) { best = one; area = seen; }
    }
    return best;
  };

  // One step: a wheel event, for pages that listen to those, then the scrolling itself, at once and not drawn out, with the scroll
  // events and intersections that long lists load by. `nudge` goes back a little first, for a sentinel that is seen already.
  const scrollBy = async (el, { direction, amount, nudge }) => {
    const [side, size, sign] = AXES[direction];
    const target = scrollerFor(el, size);
    const seen = target[`client${size}`];
    const name = `scroll${side}`;
    const before = target[name];
    const move = by => target.scrollBy({ [side.toLowerCase()]: by, behavior: 'instant' });
    if (nudge) { move(-sign * seen / 2); await frame(); }
    const distance = sign * (amount ?? Math.max(seen * 0.8, 40));
    const delta = size === 'Height' ? { deltaY: distance } : { deltaX: distance };
    const taken = !target.dispatchEvent(new WheelEvent('wheel', { ...delta, bubbles: true, cancelable: true, composed: true }));
    if (!taken) move(nudge ? distance + sign * seen / 2 : distance);
    await frame();
    fresh();
    const at = sign * target[name];
    const end = sign > 0 ? target[`scroll${size}`] - seen : 0;
    const busy = !!(target.closest('[aria-busy=true]') || target.querySelector('[aria-busy=true]'));
    return { t: 'ok', value: { moved: Math.round(target[name] - before), end: at >= end - 2, size: target[`scroll${size}`], count: below(target).length, busy } };
  };
  R.scroll = wanted => scrollBy(null, wanted);
  R.scrollOf = (req, wanted, ...nodes) => withElement(req, nodes, el => scrollBy(el, wanted));
  R.intoView = (req, ...nodes) => withElement(req, nodes, el => {
    const box = boxOf(el);
    const isIn = box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= innerWidth && box[1] + box[3] <= innerHeight;
    // In the viewport it may still be cut off by a container: then it does nothing where it is seen whole.
    el.scrollIntoView({ block: isIn ? 'nearest' : 'center', inline: 'nearest', behavior: 'instant' });
    return { t: 'ok', what: preview(el) };
  });
