(value, spend, over = {}) => {
  // Nothing that is built is assigned to where setters of the page's own prototypes would see it: they could put more into it.
  const list = (items, count) => {
    let at = 0;
    const next = () => at < count ? { __proto__: null, done: false, value: items[at++] } : { __proto__: null, done: true };
    return [...{ __proto__: null, [Symbol.iterator]: () => ({ __proto__: null, next }) }];
  };
  const plain = (value, above) => {
    switch (typeof value) {
      case 'string': return spend(value);
      case 'boolean': spend(''); return value;
      case 'number': spend(''); return value - value === 0 ? value : null;
      case 'bigint': { const text = spend('' + value); return value >= -9007199254740991n && value <= 9007199254740991n ? +text : text; }
      // In a list it is an item like any other.
      case 'undefined': case 'function': case 'symbol': spend(''); return undefined;
    }
    spend('');
    if (value === null || above.includes(value) || above.length > 60) return null;
    const kind = {}.toString.call(value).slice(8, -1);
    try {
      if (kind === 'Date') return isNaN(value) ? null : spend('' + Date.prototype.toISOString.call(value));
      if (kind === 'RegExp') return spend('' + value);
      if (kind === 'Boolean' || kind === 'Number' || kind === 'String') return plain(value.valueOf(), [...above, value]);
    } catch (error) { if (error === over) throw error; }
    if (value instanceof Error) return { __proto__: null, name: spend('' + value.name), message: spend('' + value.message) };
    if (typeof Node === 'function' && value instanceof Node) return null;
    if (typeof Window === 'function' && value instanceof Window) return null;
    const inside = [...above, value];
    if (kind === 'Set' || Array.isArray(value) || (ArrayBuffer.isView(value) && kind !== 'DataView') || (typeof NodeList === 'function' && (value instanceof NodeList || value instanceof HTMLCollection))) {
      const items = { __proto__: null };
      let count = 0;
      for (const one of value) items[count++] = plain(one, inside) ?? null;
      return list(items, count);
    }
    const out = { __proto__: null };
    if (kind === 'Map') {
      for (const [key, one] of value) { const got = plain(one, inside); if (got !== undefined) out[spend('' + key)] = got; }
      return out;
    }
    for (const key of Object.keys(value)) {
      let one;
      try { one = plain(value[key], inside); } catch (error) { if (error === over) throw error; continue; }
      if (one !== undefined) out[spend('' + key)] = one;
    }
    return out;
  };
  return plain(value, []) ?? null;
}
