// Puts in place what a tab's sessionStorage is to hold, at the first document of its origin. Runs as a new-document script,
// in a world of its own, until Rust has seen that document and taken the script away.
((all) => {
  const text = (node) => {
    if (typeof node === 'string') return node;
    const bytes = Uint8Array.from(atob(node[1]), (c) => c.charCodeAt(0));
    return Array.from(new Uint16Array(bytes.buffer), (unit) => String.fromCharCode(unit)).join('');
  };
  try {
    const { origin } = location;
    const lines = Object.hasOwn(all, origin) && all[origin];
    // A second document, before the script was taken away: what the first one left there is newer.
    if (!lines || sessionStorage.length || document.referrer.startsWith(`${origin}/`)) return;
    for (const { k, v } of lines) sessionStorage.setItem(text(k), text(v));
  } catch { /* a document without storage, such as a sandboxed one */ }
})
