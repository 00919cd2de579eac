// In the page's own world: what a page does by script that Chromium would show outside of the page, or put where only its own machine
// has it. Told to our world by events; what is not taken there goes on as ever. A proxy shows itself as the function that it stands for.
(() => {
  const { apply } = Reflect;
  const send = EventTarget.prototype.dispatchEvent;
  const wrap = (owner, name, before) => {
    const own = owner?.[name];
    if (typeof own !== 'function') return;
    owner[name] = new Proxy(own, { apply: (act, self, given) => before(self, given) ? undefined : apply(act, self, given) });
  };
  for (const kind of [HTMLInputElement, HTMLSelectElement]) {
    wrap(kind.prototype, 'showPicker', element => element instanceof kind &&
      !apply(send, element, [new Event('rhaven-picker', { bubbles: true, composed: true, cancelable: true })]));
  }
  const copied = text => void apply(send, window, [new CustomEvent('rhaven-copied', { detail: text })]);
  const Clipboard = globalThis.Clipboard?.prototype;
  wrap(Clipboard, 'writeText', (_, [text]) => {
    if (navigator.userActivation.isActive) copied(`${text}`);
  });
  wrap(Clipboard, 'write', (_, [items]) => {
    if (!navigator.userActivation.isActive || !Array.isArray(items)) return;
    const item = items.find(one => one instanceof ClipboardItem && one.types.includes('text/plain'));
    item?.getType('text/plain').then(blob => blob.text()).then(copied, () => {});
  });
})();
