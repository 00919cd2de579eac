async (value, argument) => {
  if (typeof value === 'function') value = value(argument);
  value = await value;
  const plain = (value, above) => {
    switch (typeof value) {
      case 'string': case 'boolean': return value;
      case 'number': return value - value === 0 ? value : null;
      case 'bigint': return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : '' + value;
      case 'undefined': case 'function': case 'symbol': return undefined;
    }
    if (value === null || above.includes(value) || above.length > 60) return null;
    const kind = {}.toString.call(value).slice(8, -1);
    try {
      if (kind === 'Date') return isNaN(value) ? null : Date.prototype.toISOString.call(value);
      if (kind === 'RegExp') return '' + value;
      if (kind === 'Boolean' || kind === 'Number' || kind === 'String') return plain(value.valueOf(), [...above, value]);
    } catch {}
    if (value instanceof Error) return { name: '' + value.name, message: '' + value.message };
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
      for (const [key, one] of value) { const got = plain(one, inside); if (got !== undefined) out['' + key] = got; }
      return out;
    }
    for (const key of Object.keys(value)) {
      let one;
      try { one = plain(value[key], inside); } catch { continue; }
      if (one !== undefined) out[key] = one;
    }
    return out;
  };
  return plain(value, []) ?? null;
}
