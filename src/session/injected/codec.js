// Structured-clone values as JSON, and back. Plain JSON scalars stand for themselves; everything else is an array whose
// first element is a tag. Objects are numbered in the order in which they are met, ["r", n] refers to the n-th, so cycles
// and shared references survive. Runs in an isolated world: the page cannot have changed the built-ins that it relies on.
const codec = (() => {
  class Unkeepable extends Error {}

  const toBase64 = (bytes) => {
    if (bytes.toBase64) return bytes.toBase64();
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  };
  const fromBase64 = (text) =>
    Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  // A string with lone surrogates is no Unicode text and would not survive JSON on the way to Rust.
  const encodeString = (text) => {
    if (text.isWellFormed()) return text;
    const units = Uint16Array.from(text, (_, i) => 0);
    for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
    return ['s16', toBase64(new Uint8Array(units.buffer, 0, text.length * 2))];
  };
  const decodeString = (node) => {
    if (typeof node === 'string') return node;
    const bytes = fromBase64(node[1]);
    let text = '';
    for (const unit of new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)) text += String.fromCharCode(unit);
    return text;
  };

  const encodeNumber = (n) => (Number.isFinite(n) && !Object.is(n, -0) ? n : ['n', Object.is(n, -0) ? '-0' : String(n)]);
  const decodeNumber = (node) => (typeof node === 'number' ? node : Number(node[1]));

  const RECTS = ['DOMRect', 'DOMRectReadOnly'];
  const POINTS = ['DOMPoint', 'DOMPointReadOnly'];
  const MATRICES = ['DOMMatrix', 'DOMMatrixReadOnly'];
  const brand = (value) => Object.prototype.toString.call(value).slice(8, -1);

  // `jobs` collects the promises that fill in what can only be read asynchronously (Blob contents, keys).
  const encode = (root, jobs) => {
    const numbers = new Map();
    const properties = (value, skip) => {
      const flat = [];
      for (const key of Object.keys(value)) if (!skip?.(key)) flat.push(encodeString(key), visit(value[key]));
      return flat;
    };
    const later = (node, promise, fill) => {
      jobs.push(promise.then((result) => node.push(...fill(result))));
      return node;
    };
    const array = (value) => {
      const isIndex = (key) => /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < value.length;
      const dense = Object.keys(value).filter(isIndex).length === value.length;
      if (!dense) return ['sparse', value.length, properties(value)];
      const items = value.map(visit);
      const extra = properties(value, isIndex);
      return extra.length ? ['a', items, extra] : ['a', items];
    };
    const error = (value) => {
      const own = (name) => (Object.hasOwn(value, name) ? visit(value[name]) : ['u']);
      return ['e', String(value.name), own('message'), own('stack'), Object.hasOwn(value, 'cause') ? [visit(value.cause)] : []];
    };
    const key = (value) => {
      if (!value.extractable) throw new Unkeepable('a non-extractable CryptoKey cannot leave the page');
      const node = ['key', visit(value.algorithm), [...value.usages]];
      return later(node, crypto.subtle.exportKey('jwk', value), (jwk) => [jwk]);
    };
    const object = (value) => {
      const kind = brand(value);
      if (Array.isArray(value)) return array(value);
      if (value instanceof Date) return ['d', encodeNumber(value.getTime())];
      if (value instanceof RegExp) return ['re', encodeString(value.source), value.flags];
      if (value instanceof Map) return ['m', [...value].flatMap(([k, v]) => [visit(k), visit(v)])];
      if (value instanceof Set) return ['set', [...value].map(visit)];
      if (value instanceof Error) return error(value);
      if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt)
        return ['box', visit(value.valueOf())];
      if (value instanceof ArrayBuffer)
        return ['ab', toBase64(new Uint8Array(value)), value.resizable ? value.maxByteLength : null];
      if (ArrayBuffer.isView(value)) {
        const name = value instanceof DataView ? 'DataView' : value.constructor.name;
        const length = value instanceof DataView ? value.byteLength : value.length;
        return ['view', name, visit(value.buffer), value.byteOffset, length];
      }
      if (value instanceof File) {
        const node = ['file', encodeString(value.name), value.type, value.lastModified];
        return later(node, value.arrayBuffer(), (buffer) => [toBase64(new Uint8Array(buffer))]);
      }
      if (value instanceof Blob)
        return later(['blob', value.type], value.arrayBuffer(), (buffer) => [toBase64(new Uint8Array(buffer))]);
      if (typeof CryptoKey !== 'undefined' && value instanceof CryptoKey) return key(value);
      if (value instanceof ImageData)
        return ['image', value.width, value.height, value.colorSpace, toBase64(new Uint8Array(value.data.buffer))];
      if (RECTS.includes(kind)) return ['dom', kind, [value.x, value.y, value.width, value.height].map(encodeNumber)];
      if (POINTS.includes(kind)) return ['dom', kind, [value.x, value.y, value.z, value.w].map(encodeNumber)];
      if (MATRICES.includes(kind)) {
        const all = [...value.toFloat64Array()];
        const flat = value.is2D ? [0, 1, 4, 5, 12, 13].map((i) => all[i]) : all;
        return ['dom', kind, flat.map(encodeNumber)];
      }
      if (kind === 'DOMQuad') return ['quad', [value.p1, value.p2, value.p3, value.p4].map((p) => [p.x, p.y, p.z, p.w].map(encodeNumber))];
      if (kind === 'Object') return ['o', properties(value)];
      throw new Unkeepable(`a ${kind} cannot leave the page`);
    };
    const visit = (value) => {
      switch (typeof value) {
        case 'boolean': return value;
        case 'string': return encodeString(value);
        case 'number': return encodeNumber(value);
        case 'bigint': return ['big', String(value)];
        case 'undefined': return ['u'];
      }
      if (value === null) return null;
      if (numbers.has(value)) return ['r', numbers.get(value)];
      numbers.set(value, numbers.size);
      return object(value);
    };
    return visit(root);
  };

  // Keys can only be imported asynchronously: done first, in place, so that `decode` itself stays synchronous.
  const importKeys = async (node) => {
    if (!Array.isArray(node)) return;
    if (node[0] === 'key' && Array.isArray(node[2]))
      node[4] = await crypto.subtle.importKey('jwk', node[3], decode(node[1]), true, node[2]);
    else for (const child of node) await importKeys(child);
  };

  const decode = (root) => {
    const heap = [];
    const keep = (value) => (heap.push(value), value);
    const fill = (target, flat) => {
      for (let i = 0; i < flat.length; i += 2) {
        const value = { value: visit(flat[i + 1]), writable: true, enumerable: true, configurable: true };
        Object.defineProperty(target, decodeString(flat[i]), value);
      }
      return target;
    };
    const error = ([, name, message, stack, cause]) => {
      const at = heap.push(undefined) - 1;
      const make = typeof globalThis[name] === 'function' && globalThis[name].prototype instanceof Error ? globalThis[name] : Error;
      const value = (heap[at] = new make());
      const set = (key, to) => Object.defineProperty(value, key, { value: to, writable: true, configurable: true });
      const [text, trace] = [visit(message), visit(stack)];
      if (text !== undefined) set('message', text);
      if (trace !== undefined) set('stack', trace);
      if (cause.length) set('cause', visit(cause[0]));
      return value;
    };
    const view = ([, name, buffer, offset, length]) => {
      const at = heap.push(undefined) - 1;
      return (heap[at] = new globalThis[name](visit(buffer), offset, length));
    };
    const buffer = ([, text, max]) => {
      const bytes = fromBase64(text);
      if (max === null) return keep(bytes.buffer.byteLength === bytes.length ? bytes.buffer : bytes.slice().buffer);
      const value = keep(new ArrayBuffer(bytes.length, { maxByteLength: max }));
      new Uint8Array(value).set(bytes);
      return value;
    };
    const key = (node) => {
      const value = keep(node[4]);
      visit(node[1]); // the algorithm's objects were numbered on the way out
      return value;
    };
    const image = ([, width, height, colorSpace, text]) =>
      keep(new ImageData(new Uint8ClampedArray(fromBase64(text).buffer), width, height, { colorSpace }));
    const dom = ([, kind, numbers]) => {
      const values = numbers.map(decodeNumber);
      return keep(MATRICES.includes(kind) ? new globalThis[kind](values) : new globalThis[kind](...values));
    };
    const quad = ([, points]) =>
      keep(new DOMQuad(...points.map((p) => { const [x, y, z, w] = p.map(decodeNumber); return { x, y, z, w }; })));
    const map = (flat, value) => {
      for (let i = 0; i < flat.length; i += 2) value.set(visit(flat[i]), visit(flat[i + 1]));
      return value;
    };
    const visit = (node) => {
      if (!Array.isArray(node)) return node;
      switch (node[0]) {
        case 'u': return undefined;
        case 'n': return Number(node[1]);
        case 's16': return decodeString(node);
        case 'big': return BigInt(node[1]);
        case 'r': return heap[node[1]];
        case 'o': return fill(keep({}), node[1]);
        case 'a': {
          const value = keep(new Array(node[1].length));
          node[1].forEach((item, i) => (value[i] = visit(item)));
          return node[2] ? fill(value, node[2]) : value;
        }
        case 'sparse': return fill(keep(new Array(node[1])), node[2]);
        case 'd': return keep(new Date(decodeNumber(node[1])));
        case 're': return keep(new RegExp(decodeString(node[1]), node[2]));
        case 'm': return map(node[1], keep(new Map()));
        case 'set': {
          const value = keep(new Set());
          for (const item of node[1]) value.add(visit(item));
          return value;
        }
        case 'e': return error(node);
        case 'box': return keep(Object(visit(node[1])));
        case 'ab': return buffer(node);
        case 'view': return view(node);
        case 'blob': return keep(new Blob([fromBase64(node[2])], { type: node[1] }));
        case 'file': return keep(new File([fromBase64(node[4])], decodeString(node[1]), { type: node[2], lastModified: node[3] }));
        case 'key': return key(node);
        case 'image': return image(node);
        case 'dom': return dom(node);
        case 'quad': return quad(node);
        default: throw new Unkeepable(`unknown tag ${node[0]}`);
      }
    };
    return visit(root);
  };

  return { Unkeepable, toBase64, fromBase64, encode, encodeString, decode, decodeString, importKeys };
})();
