// Runs before the scripts of every document, in our isolated world: listeners that come later hear nothing of an event that
// a page's own listener on the window has stopped. They cost nothing until an action sets `hear`.
(() => {
  const PROBE = 'rhaven-probe';
  const make = () => {
    let there = false, begun = false;
    const on = event => { if (event.type === PROBE) there = true; else ears.hear?.(event); };
    // Whether a page's listeners may stand before ours, and keep events from us.
    const ears = { hear: null, late: false, document: null };
    ears.listen = () => {
      there = false;
      dispatchEvent(new Event(PROBE));
      if (there) return;
      ears.late = begun;
      begun = true;
      for (const kind of [PROBE, 'pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click', 'dblclick', 'auxclick', 'contextmenu'])
        addEventListener(kind, on, { capture: true });
    };
    return ears;
  };
  const ears = globalThis.__rhavenEars ??= make();
  ears.listen();
  // `document.open` takes all listeners away and puts another root in.
  if (ears.document !== document) new MutationObserver(ears.listen).observe(ears.document = document, { childList: true });
})();
