// Puts in place what a tab's sessionStorage is to hold, at the first document that it belongs to: [origin, the rest of the storage
// key, lines] each. Runs as a new-document script, in a world of its own, until Rust has seen that document and taken the
// script away.
((all) => {
  const text = (node) => {
    if (typeof node === 'string') return node;
    const bytes = Uint8Array.from(atob(node[1]), (c) => c.charCodeAt(0));
    return Array.from(new Uint16Array(bytes.buffer), (unit) => String.fromCharCode(unit)).join('');
  };
  // As in session/storage_key.rs.
  const isOfSite = (one, site) =>
    one.protocol === site.protocol && (one.hostname === site.hostname || one.hostname.endsWith(`.${site.hostname}`));
  const mayBeOneSite = (one, other) => {
    const last = ({ hostname }) => hostname.split('.').slice(-2).join('.');
    const isAddress = /^[\d.]+$|^\[/.test(one.hostname);
    return one.protocol === other.protocol && (one.hostname === other.hostname || (!isAddress && last(one) === last(other)));
  };
  // What there is for a document that stands here, by the rest of its storage key.
  const choose = (mine) => {
    const above = Array.from(location.ancestorOrigins, (origin) => URL.parse(origin));
    const find = (wanted) => mine.find(([, rest]) => wanted(rest));
    // Documents without an origin above it: its key cannot be told.
    if (above.includes(null)) return undefined;
    if (!above.length) return find((rest) => rest === '');
    const below = find((rest) => rest.startsWith('^0') && isOfSite(above.at(-1), new URL(rest.slice(2))));
    if (below || !mayBeOneSite(above.at(-1), location)) return below;
    const own = above.every((origin) => mayBeOneSite(origin, location)) ? '' : '^31';
    return find((rest) => rest === own);
  };
  try {
    const { origin } = location;
    const mine = all.filter(([of]) => of === origin);
    // A second document, before the script was taken away: what the first one left there is newer.
    if (!mine.length || sessionStorage.length || document.referrer.startsWith(`${origin}/`)) return;
    for (const { k, v } of choose(mine)?.[2] ?? []) sessionStorage.setItem(text(k), text(v));
  } catch { /* a document without storage, such as a sandboxed one */ }
})