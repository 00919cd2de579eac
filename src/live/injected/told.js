  // The pointer's shape.
  let shape = null;
  let looked = 0;
  const SHAPES = /(?:^|,)\s*([a-z-]+)\s*$/;
  const shapeAt = event => {
    const element = deep(event);
    if (!(element instanceof Element)) return 'default';
    const cursor = SHAPES.exec(getComputedStyle(element).cursor)?.[1] ?? 'auto';
    if (cursor !== 'auto') return cursor;
    const range = document.caretRangeFromPoint?.(event.clientX, event.clientY);
    const node = range?.startContainer;
    if (!node || node.nodeType !== Node.TEXT_NODE || node.parentElement !== element) return 'default';
    if (getComputedStyle(element).userSelect === 'none') return 'default';
    const text = document.createRange();
    text.selectNodeContents(node);
    const inside = Array.from(text.getClientRects()).some(rect => event.clientX >= rect.left && event.clientX <= rect.right &&
      event.clientY >= rect.top && event.clientY <= rect.bottom);
    return inside ? 'text' : 'default';
  };
  let later = null;
  const look = event => {
    looked = performance.now();
    const now = shapeAt(event);
    if (now !== shape) tell('cursor', { cursor: shape = now });
  };
  on('mousemove', event => {
    pointer = { x: event.clientX, y: event.clientY };
    clearTimeout(later);
    if (performance.now() - looked > 50) look(event);
    else {
      const seen = { composedPath: () => [element], clientX: event.clientX, clientY: event.clientY };
      const element = deep(event);
      later = setTimeout(() => look(seen), 50);
    }
  }, { passive: true });
  on('mouseout', event => { if (!event.relatedTarget) shape = null; }, { passive: true });

  // What has the focus, where it takes text.
  const KINDS = { email: 'email', number: 'decimal', tel: 'tel', url: 'url', search: 'search' };
  const NO_TEXT = ['button', 'checkbox', 'color', 'file', 'hidden', 'image', 'radio', 'range', 'reset', 'submit', ...DATES];
  const focused = () => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element;
  };
  const takesText = element => {
    if (!element) return false;
    if (element instanceof HTMLTextAreaElement) return !element.readOnly && !element.disabled;
    if (element instanceof HTMLInputElement) return !element.readOnly && !element.disabled && !NO_TEXT.includes(element.type);
    return element.isContentEditable === true;
  };
  let had = false;
  const focus = () => {
    const element = focused();
    if (takesText(element)) {
      had = true;
      const mode = element.inputMode || KINDS[element.type] || 'text';
      tell('caret', { ...rectOf(element), mode, password: element.type === 'password' });
    } else if (had) {
      had = false;
      tell('caret', {});
    }
  };
  on('focusin', focus, { passive: true });
  on('focusout', () => queueMicrotask(focus), { passive: true });

  // The clipboard. Who copies is told last, when the page has had its say.
  const selection = () => {
    const element = focused();
    if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) {
      if (element.type === 'password' || element.selectionStart === null) return '';
      return element.value.slice(element.selectionStart, element.selectionEnd);
    }
    return String(getSelection() ?? '');
  };
  const MOST_COPIED = 1 << 20;
  let quiet = false;
  for (const type of ['copy', 'cut']) {
    window.addEventListener(type, event => {
      if (quiet || !event.isTrusted) return;
      const text = event.defaultPrevented ? event.clipboardData.getData('text/plain') : selection();
      tell('copied', { text });
    }, { signal: over.signal });
  }
  // The page copies by itself, at a person's press on its own button. Any page can say so; only Chromium knows of the press.
  on('rhaven-copied', event => {
    event.stopImmediatePropagation();
    const text = event.detail;
    if (typeof text === 'string' && text.length <= MOST_COPIED && navigator.userActivation.isActive) tell('copied', { text });
  });
  live.isFocused = () => document.hasFocus() && !['IFRAME', 'FRAME'].includes(document.activeElement?.tagName);
  // Puts the text where Ctrl+V takes it from; the page does not hear of it.
  live.hold = text => {
    let held = false;
    const put = event => {
      held = true;
      event.clipboardData.setData('text/plain', text);
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    const hush = event => { event.preventDefault(); event.stopImmediatePropagation(); };
    quiet = true;
    holding = { put, hush };
    try { document.execCommand('copy'); return held; } finally { quiet = false; holding = null; }
  };
  let holding = null;
  on('beforecopy', event => holding?.hush(event));
  on('copy', event => holding?.put(event));

  // Passwords that are sent.
  const offer = fields => {
    const secrets = fields.filter(field => field.type === 'password' && field.value);
    if (!secrets.length) return;
    const fresh = secrets.filter(field => /new-password/.test(field.autocomplete));
    const last = fresh[0] ?? (secrets.length > 2 ? secrets[1] : secrets.length === 2 && secrets[0].value !== secrets[1].value ? secrets[1] : secrets[0]);
    const names = fields.filter(field => ['text', 'email', 'tel'].includes(field.type) && field.value);
    const before = names.filter(field => field.compareDocumentPosition(secrets[0]) & Node.DOCUMENT_POSITION_FOLLOWING);
    const name = names.find(field => /username/.test(field.autocomplete)) ?? before.at(-1) ?? names[0];
    tell('password', { origin: location.origin, username: name?.value ?? '', password: last.value });
  };
  const inputs = root => Array.from(root.querySelectorAll('input'));
  on('submit', event => {
    const form = deep(event);
    if (form instanceof HTMLFormElement) offer(Array.from(form.elements).filter(field => field instanceof HTMLInputElement));
  }, { passive: true });
  // Where no form is: Enter in the field.
  on('keydown', event => {
    const field = deep(event);
    if (event.isTrusted && event.key === 'Enter' && field instanceof HTMLInputElement && field.type === 'password' && !field.form) {
      offer(inputs(field.getRootNode()));
    }
  }, { passive: true });

  // Title and icon.
  if (isTop) {
    let title = null, icon = null;
    const facts = () => {
      const link = document.querySelector('link[rel~="icon"][href]');
      const href = link ? link.href : '';
      if (document.title === title && href === icon) return;
      title = document.title;
      icon = href;
      tell('title', { title, icon });
    };
    const watch = () => {
      if (over.signal.aborted) return;
      facts();
      const observer = new MutationObserver(facts);
      over.signal.addEventListener('abort', () => observer.disconnect());
      observer.observe(document.head ?? document.documentElement, { childList: true, subtree: true, characterData: true });
    };
    if (document.readyState === 'loading') window.addEventListener('DOMContentLoaded', watch);
    else watch();
  }
  tell('here', {});
  if (document.hasFocus()) focus();
})();
