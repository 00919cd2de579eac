// What a live browser needs of every document, in an isolated world of its own: what Chromium would draw outside of the page, the
// pointer's shape, what has the focus, what is copied, passwords that are sent. Told through a binding that only this world has.
(() => {
  if (globalThis.__rhavenLive) return;
  const tell = (t, fields) => {
    try { globalThis.__rhavenTell(JSON.stringify({ t, ...fields })); } catch { /* The binding goes with the live browser. */ }
  };
  const live = {};
  Object.defineProperty(globalThis, '__rhavenLive', { value: live, configurable: true });
  // The document goes on without it.
  const over = new AbortController();
  live.end = () => { over.abort(); delete globalThis.__rhavenLive; };
  const isTop = window === window.top;

  // Where the pointer was in this document, for frames whose place in the page cannot be known from within.
  let pointer = null;
  const on = (type, handler, options) => window.addEventListener(type, handler, { capture: true, passive: false, signal: over.signal, ...options });
  const deep = event => event.composedPath()[0] ?? event.target;

  // The place of this frame in the page; `known` is false where a document of another origin is above.
  const place = () => {
    let x = 0, y = 0;
    for (let view = window; view !== view.top;) {
      let frame = null;
      try { frame = view.frameElement; } catch { /* Another origin. */ }
      if (!frame) return { x, y, known: false };
      const rect = frame.getBoundingClientRect();
      x += rect.x + frame.clientLeft;
      y += rect.y + frame.clientTop;
      view = view.parent;
    }
    return { x, y, known: true };
  };
  const rectOf = element => {
    const rect = element.getBoundingClientRect(), at = place();
    return { rect: { x: rect.x + at.x, y: rect.y + at.y, width: rect.width, height: rect.height }, known: at.known, pointer };
  };
