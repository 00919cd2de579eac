  // ---- one loop for all verbs --------------------------------------------------------------------------------------

  // Looks until `attempt` is content or the patience of this call ends; Rust logs and asks again.
  const until = async (req, nodes, attempt) => {
    const end = now() + (req.patience || 0);
    const sets = setsOf(req, nodes);
    useClosed = !!req.closed;
    for (;;) {
      fresh();
      lastLook = now();
      let answer;
      try { answer = attempt(sets); } catch (e) {
        if (!e.bad) throw e;
        return { t: 'bad', why: e.bad };
      }
      const left = end - now();
      if ((answer.t !== 'wait' && answer.t !== 'none') || left <= 0) return answer;
      await change(Math.min(left, 100));
    }
  };
  // Elements of roles that Rust has found, by the step they belong to.
  const setsOf = (req, nodes) => {
    if (!req.sets) return null;
    const sets = {};
    let from = 0;
    for (const [step, n] of req.sets) { sets[step] = nodes.slice(from, from + n).filter(node => node.ownerDocument === document); from += n; }
    return sets;
  };
  // A root that Rust holds (a closed shadow root) is told once.
  R.closedRoots = (...nodes) => { for (let i = 0; i + 1 < nodes.length; i += 2) closed.set(nodes[i], nodes[i + 1]); return { t: 'ok' }; };

  const stopped = (req, found) => {
    if (found.stop === 'frame') {
      if (found.els.length > 1) return many(found.els);
      held.set(req.token, found.els[0]);
      return { t: 'frame', at: found.at, what: preview(found.els[0]) };
    }
    return { t: found.stop, at: found.at };
  };
  // The one element, or an answer that says why there is none.
  const single = (req, sets) => {
    const found = run(req.steps, sets);
    if (found.stop) return stopped(req, found);
    if (found.els.length > 1) return many(found.els);
    if (!found.els.length) return { t: 'none' };
    return { el: found.els[0] };
  };

  const checks = (el, needs) => {
    const wait = why => ({ t: 'wait', why, what: preview(el) });
    if (!el.isConnected) return { t: 'none' };
    if (needs.includes('visible') && !isVisible(el)) return wait('element is not visible');
    if (needs.includes('enabled') && !isEnabled(el)) return wait('element is not enabled');
    if (needs.includes('editable')) {
      const control = controlOf(el);
      if (!control.matches('input,textarea,select') && !control.isContentEditable)
        return { t: 'never', why: 'is not an <input>, <textarea>, <select> or [contenteditable] element', what: preview(el) };
      if (!isEditable(el)) return wait('element is not editable (read-only)');
    }
    return null;
  };

  // When, by the clock of its animations, an element was looked at first.
  const looked = new Map();

  R.node = token => held.get(token) ?? null;
  R.release = token => { held.delete(token); looked.delete(token); if (watched(token)) disarm(); return { t: 'ok' }; };

  // First half of a pointer action: resolve, check, scroll, choose the point.
  R.prepare = (req, ...nodes) => until(req, nodes, sets => {
    const { el, ...answer } = single(req, sets);
    if (!el) return answer;
    held.set(req.token, el);
    const no = checks(el, req.needs);
    if (no) return no;
    // What covered it the last time may cover it in no other place.
    if (req.turn) bring(el, req.turn - 1);
    let point = pointIn(el, req.position);
    if (!point || !inViewport(point)) { bring(el, 0); point = pointIn(el, req.position); }
    const what = preview(el);
    if (!point || !inViewport(point)) return { t: 'wait', why: 'element is outside of the viewport', what };
    if (!req.force) {
      let hit = at(...point);
      // A container that scrolls, or a bar that floats over the page, may hide it although it is in the viewport.
      for (let turn = 0; turn < ALIGN.length && !receives(el, hit) && (turn === 0 || floats(el, hit)); turn++) {
        bring(el, turn);
        point = pointIn(el, req.position) || point;
        hit = at(...point);
      }
      if (!receives(el, hit)) return { t: 'wait', why: `covered by ${cover(el, hit)}`, what, covered: true };
    }
    looked.set(req.token, document.timeline.currentTime);
    return { t: 'ok', point, box: boxOf(el), what };
  });

  // Second half: a frame later the box and the hit target have to be the same; then the events themselves are watched.
  R.confirm = async (token, box, position, force) => {
    const el = held.get(token);
    // One pointer per page: what is armed still was left by an action that has failed, and would hold back what is not its own.
    disarm();
    if (!el) return { t: 'wait', why: 'element was detached' };
    // On a page that is busy a frame may be long in coming; only one that draws nothing has none.
    await frame(1000);
    // Animations know the time of the last frame only, and on a busy machine two frames can bear the same one: looks at one
    // and the same moment would tell nothing.
    for (let left = 5; left > 0 && document.timeline.currentTime === looked.get(token); left--) await frame();
    // A few times only, for pages where nothing ever begins.
    // Then one frame more: in the one in which it begins it stands at its start.
    let began = false;
    for (let left = 5; left > 0 && aboutToMove(el); left--) { began = true; await frame(); }
    if (began) await frame();
    fresh();
    // Released in the meantime: nobody would hear what is armed now.
    if (held.get(token) !== el || !el.isConnected) return { t: 'wait', why: 'element was detached', what: preview(el) };
    if (force) return { t: 'ok' };
    const here = boxOf(el);
    if (!sameBox(box, here)) return { t: 'wait', why: 'element is moving', what: preview(el) };
    const point = pointIn(el, position);
    const hit = point && at(...point);
    if (!receives(el, hit)) return { t: 'wait', why: `covered by ${cover(el, hit)}`, what: preview(el), covered: true };
    arm(token, el, here);
    return { t: 'ok' };
  };

  // ---- the events themselves ---------------------------------------------------------------------------------------

  // The one action that is watched now: there is one pointer.
  let armed = null;

  const arm = (token, el, box) => {
    const watch = { token, el, box, state: 'none', by: '' };
    watch.done = new Promise(done => { watch.settle = done; });
    armed = watch;
    __rhavenEars.listen();
    __rhavenEars.hear = event => onEvent(watch, event);
    // Whatever happens to Rust, the page is not watched for good.
    watch.timer = setTimeout(disarm, 60000);
  };
  const disarm = () => {
    clearTimeout(armed?.timer);
    armed = null;
    __rhavenEars.hear = null;
  };
  const watched = token => armed?.token === token ? armed : null;
  const onEvent = (watch, event) => {
    if (!event.isTrusted) return;
    const { el } = watch;
    const hit = () => {
      const path = event.composedPath();
      return path.includes(el) || receives(el, path[0].nodeType === Node.ELEMENT_NODE ? path[0] : null) || receives(el, at(event.clientX, event.clientY));
    };
    const block = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    const down = event.type === 'pointerdown' || event.type === 'mousedown';
    if (watch.state === 'none' && down) {
      if (hit()) watch.state = 'hit';
      else { watch.state = 'missed'; watch.by = event.target?.nodeType === Node.ELEMENT_NODE ? preview(event.target) : ''; }
    }
    const released = event.type === 'pointerup' || event.type === 'mouseup';
    // The press was kept from us (a document that was written anew, with a listener before ours); the release tells as much.
    if (watch.state === 'none' && hit()) watch.state = 'hit';
    // Moved away while the button was down: the release would land on something else. An element that went away or was
    // covered by what its own press opened (a menu) has had its click.
    if (released && watch.state === 'hit' && !hit() && slidAway(watch)) {
      watch.state = 'moved';
      watch.by = event.target?.nodeType === Node.ELEMENT_NODE ? preview(event.target) : '';
    }
    if (watch.state === 'missed' || watch.state === 'moved') block();
    if (released) watch.settle();
  };
  const slidAway = ({ el, box }) => {
    if (!el.isConnected || !isVisible(el) || sameBox(box, boxOf(el))) return false;
    const point = pointIn(el);
    return !point || receives(el, at(...point));
  };
  // Where the page's listeners come before ours, silence says nothing; better one click too few than two.
  const verdict = watch => {
    if (watch.state === 'none' && __rhavenEars.late) return { t: 'gone' };
    return { t: watch.state === 'hit' ? 'ok' : watch.state, by: watch.by };
  };
  // Sent before the events: answers once the release has come by, before its click handlers run.
  R.verdict = async token => {
    const watch = watched(token);
    if (!watch) return { t: 'gone' };
    await watch.done;
    return verdict(watch);
  };
  R.ping = () => ({ t: 'ok' });
  // Afterwards, whether or not events came by; everything that they caused has been told to Rust by then.
  R.finish = token => {
    const watch = watched(token);
    const answer = watch ? verdict(watch) : { t: 'gone' };
    watch?.settle();
    if (watch) disarm();
    held.delete(token);
    looked.delete(token);
    return answer;
  };

  // ---- frames ------------------------------------------------------------------------------------------------------

  // Whether this document stands in a frame of another.
  const framed = () => parent !== window;
  // Where the content of a frame element begins, in the viewport; with `page`, in the page if this is its own document.
  R.frameBox = (el, page) => {
    if (!el.isConnected) return null;
    const box = el.getBoundingClientRect();
    const style = getComputedStyle(el);
    const [x, y] = page && !framed() ? [scrollX, scrollY] : [0, 0];
    return [x + box.left + el.clientLeft + parseFloat(style.paddingLeft), y + box.top + el.clientTop + parseFloat(style.paddingTop)];
  };
  // Whether a point inside a frame reaches it, and where it lies here. Where it does not, the frame is scrolled to for the
  // next time: a point beyond the viewport, or below a bar, needs the page above to move.
  R.frameHit = async (el, x, y, check) => {
    fresh();
    const place = () => { const begin = R.frameBox(el); return begin && [begin[0] + x, begin[1] + y]; };
    const point = place();
    if (!point) return { t: 'wait', why: 'the frame was detached' };
    const inside = inViewport(point);
    const hit = at(...point);
    if (inside && !check) return { t: 'ok', point };
    if (inside && hit === el) {
      // A look between two frames sees the animations of the next one: two looks may be one. The third is not.
      await frame();
      const later = place();
      return later && sameBox(point, later) ? { t: 'ok', point } : { t: 'wait', why: 'element is moving' };
    }
    reveal(el, place);
    if (inside) return { t: 'wait', why: `covered by ${cover(el, hit)}`, covered: true };
    return { t: 'wait', why: 'the place in the frame is outside of the viewport', covered: sameBox(point, place()) };
  };
  // Scrolls all that scrolls around an element until the point is in the middle, as far as it goes.
  const reveal = (el, place) => {
    for (let node = up(el); node; node = up(node)) {
      const whole = node === document.scrollingElement;
      const box = whole ? { left: 0, top: 0 } : node.getBoundingClientRect();
      const [x, y] = place();
      const [width, height] = whole ? [innerWidth, innerHeight] : [node.clientWidth, node.clientHeight];
      const by = { left: x - box.left - width / 2, top: y - box.top - height / 2, behavior: 'instant' };
      if (whole || node.scrollHeight > node.clientHeight || node.scrollWidth > node.clientWidth) node.scrollBy(by);
    }
  };
