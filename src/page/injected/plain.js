async (value, argument, most) => {
  // What is built may be as large as the page likes: it is counted on the way, before it leaves the page.
  const over = {};
  let left = most;
  const spend = text => { if (most !== undefined && (left -= text.length + 8) < 0) throw over; return text; };
  if (typeof value === 'function') value = value(argument);
  value = await value;
  const plain = (value, above) => {
    switch (typeof value) {
      case 'string': return spend(value);
      case 'boolean': spend(''); return value;
      case 'number': spend(''); return value - value === 0 ? value : null;
      case 'bigint': spend(''); return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : spend('' + value);
      case 'undefined': case 'function': case 'symbol': spend(''); return undefined;
    }
    spend('');
    if (value === null || above.includes(value) || above.length > 60) return null;
    const kind = {}.toString.call(value).slice(8, -1);
    try {
      if (kind === 'Date') return isNaN(value) ? null : Date.prototype.toISOString.call(value);
      if (kind === 'RegExp') return spend('' + value);
      if (kind === 'Boolean' || kind === 'Number' || kind === 'String') return plain(value.valueOf(), [...above, value]);
    } catch (error) { if (error === over) throw error; }
    if (value instanceof Error) return { name: spend('' + value.name), message: spend('' + value.message) };
    if (typeof Node === 'function' && value instanceof Node) return null;
    if (typeof Window === 'function' && value instanceof Window) return null;
    const inside = [...above, value];
    if (kind === 'Set' || Array.isArray(value) || (ArrayBuffer.isView(value) && kind !== 'DataView') || (typeof NodeList === 'function' && (value instanceof NodeList || value instanceof HTMLCollection))) {
      const out = [];
      for (const one of value) out[out.length] = plain(one, inside) ?? null;
      return out;
    }
    const out = {};
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
  if (most === undefined) return plain(value, []) ?? null;
  try { return { value: plain(value, []) ?? null }; } catch (error) { if (error === over) return { over: true }; throw error; }
}
