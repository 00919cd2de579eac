// Every kind of value and key that structured clone knows and that can leave a page. `check` answers the names of those
// that are not as they were written.
const cyclic = { name: 'cycle' };
cyclic.self = cyclic;
const shared = { n: 1 };
const sparse = [1, , 3];
sparse.extra = 'property';
const buffer = new Uint8Array([0, 1, 2, 253, 254, 255]).buffer;
const named = (name, set) => Object.assign(new globalThis[name]('message of ' + name), set);
const bytes = (view) => [...new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength)].join();
const same = (wanted) => (got) => Object.is(got, wanted);
const json = (wanted) => (got) => JSON.stringify(got) === JSON.stringify(wanted);
const typed = (wanted) => (got) => got.constructor.name === wanted.constructor.name && got.length === wanted.length && bytes(got) === bytes(wanted);
const numbers = (wanted) => (got) => got.constructor.name === wanted.constructor.name && JSON.stringify(got) === JSON.stringify(wanted);
const boxed = (wanted) => (got) => typeof got === 'object' && got.constructor === wanted.constructor && got.valueOf() === wanted.valueOf();

const VALUES = {
  string: ['žluťoučký 😀', same('žluťoučký 😀')],
  empty: ['', same('')],
  surrogate: ['\ud800x\udc00', same('\ud800x\udc00')],
  zero: ['a\0b', same('a\0b')],
  true: [true, same(true)],
  integer: [42, same(42)],
  large: [9007199254740993, same(9007199254740993)],
  huge: [1.7976931348623157e308, same(1.7976931348623157e308)],
  tiny: [5e-324, same(5e-324)],
  fraction: [0.1, same(0.1)],
  nan: [NaN, same(NaN)],
  infinity: [Infinity, same(Infinity)],
  negative: [-Infinity, same(-Infinity)],
  minus: [-0, same(-0)],
  null: [null, same(null)],
  undefined: [undefined, same(undefined)],
  bigint: [-123456789012345678901234567890n, same(-123456789012345678901234567890n)],
  date: [new Date(1234567890123), (d) => d instanceof Date && d.getTime() === 1234567890123],
  invalidDate: [new Date(NaN), (d) => d instanceof Date && Number.isNaN(d.getTime())],
  regexp: [/a\/b"ž/giu, (r) => r instanceof RegExp && r.source === 'a\\/b"ž' && r.flags === 'giu'],
  object: [{ b: 1, a: { c: [null] } }, json({ b: 1, a: { c: [null] } })],
  proto: [JSON.parse('{"__proto__": 1}'), (o) => Object.hasOwn(o, '__proto__') && o.__proto__ === 1],
  undefinedInside: [{ a: undefined }, (o) => 'a' in o && o.a === undefined],
  oddKeys: [{ '\ud800': 1, '': 2, 5: 3 }, (o) => o['\ud800'] === 1 && o[''] === 2 && o[5] === 3],
  array: [[1, 'two', [3]], json([1, 'two', [3]])],
  sparse: [sparse, (a) => a.length === 3 && !(1 in a) && a[2] === 3 && a.extra === 'property'],
  longSparse: [Object.assign([], { length: 5000, 4000: 'x' }), (a) => a.length === 5000 && a[4000] === 'x' && !(0 in a)],
  cycle: [cyclic, (o) => o.self === o && o.name === 'cycle'],
  shared: [[shared, shared], (a) => a[0] === a[1] && a[0].n === 1],
  map: [new Map([[{ k: 1 }, 'v'], ['a', new Map()]]), (m) => m instanceof Map && [...m][0][0].k === 1 && m.get('a') instanceof Map],
  set: [new Set([1, 'a', NaN]), (s) => s instanceof Set && s.has(1) && s.has('a') && s.has(NaN) && s.size === 3],
  boxedBoolean: [new Boolean(false), boxed(new Boolean(false))],
  boxedNumber: [new Number(-1.5), boxed(new Number(-1.5))],
  boxedString: [new String('x'), boxed(new String('x'))],
  boxedBigint: [Object(5n), boxed(Object(5n))],
  arrayBuffer: [buffer, (b) => b instanceof ArrayBuffer && bytes(b) === '0,1,2,253,254,255'],
  emptyBuffer: [new ArrayBuffer(0), (b) => b instanceof ArrayBuffer && b.byteLength === 0],
  resizable: [new ArrayBuffer(3, { maxByteLength: 9 }), (b) => b.resizable && b.maxByteLength === 9 && b.byteLength === 3],
  int8: [new Int8Array([-1, 2]), typed(new Int8Array([-1, 2]))],
  uint8: [new Uint8Array([1, 255]), typed(new Uint8Array([1, 255]))],
  clamped: [new Uint8ClampedArray([1, 300]), typed(new Uint8ClampedArray([1, 300]))],
  int16: [new Int16Array([-1, 2]), typed(new Int16Array([-1, 2]))],
  uint16: [new Uint16Array([1, 2]), typed(new Uint16Array([1, 2]))],
  int32: [new Int32Array([-1, 2]), typed(new Int32Array([-1, 2]))],
  uint32: [new Uint32Array([1, 2]), typed(new Uint32Array([1, 2]))],
  float32: [new Float32Array([1.5, NaN]), typed(new Float32Array([1.5, NaN]))],
  float64: [new Float64Array([0.1, -0]), typed(new Float64Array([0.1, -0]))],
  bigint64: [new BigInt64Array([-1n]), typed(new BigInt64Array([-1n]))],
  biguint64: [new BigUint64Array([1n]), typed(new BigUint64Array([1n]))],
  dataView: [new DataView(buffer, 1, 3), (v) => v instanceof DataView && v.byteOffset === 1 && bytes(v) === '1,2,253'],
  offsetView: [new Uint8Array(buffer, 2, 3), (v) => v.byteOffset === 2 && v.buffer.byteLength === 6 && bytes(v) === '2,253,254'],
  sharedBuffer: [[new Uint8Array(buffer), new DataView(buffer)], (a) => a[0].buffer === a[1].buffer],
  blob: [new Blob(['blöb'], { type: 'text/x' }), async (b) => b.type === 'text/x' && !(b instanceof File) && (await b.text()) === 'blöb'],
  file: [new File(['file'], 'ž.txt', { type: 'text/y', lastModified: 77 }),
    async (f) => f instanceof File && f.name === 'ž.txt' && f.type === 'text/y' && f.lastModified === 77 && (await f.text()) === 'file'],
  sharedBlob: [{ a: new Blob(['1']), b: [new Blob(['2'])] }, async (o) => (await o.a.text()) === '1' && (await o.b[0].text()) === '2'],
  imageData: [new ImageData(new Uint8ClampedArray([1, 2, 3, 255, 4, 5, 6, 255]), 2, 1), (i) => i instanceof ImageData && i.width === 2 && i.height === 1 && i.data[4] === 4],
  rect: [new DOMRect(1, 2, 3, -0), numbers(new DOMRect(1, 2, 3, -0))],
  rectReadOnly: [new DOMRectReadOnly(1, 2, 3, 4), numbers(new DOMRectReadOnly(1, 2, 3, 4))],
  point: [new DOMPoint(1, 2, 3, 4), numbers(new DOMPoint(1, 2, 3, 4))],
  pointReadOnly: [new DOMPointReadOnly(1, NaN), (p) => p instanceof DOMPointReadOnly && !(p instanceof DOMPoint) && Number.isNaN(p.y)],
  quad: [new DOMQuad({ x: 1 }, { y: 2 }, { z: 3 }, { w: 4 }), numbers(new DOMQuad({ x: 1 }, { y: 2 }, { z: 3 }, { w: 4 }))],
  matrix: [new DOMMatrix([1, 2, 3, 4, 5, 6]), (m) => m instanceof DOMMatrix && m.is2D && m.f === 6],
  matrix3d: [new DOMMatrixReadOnly([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 7, 8, 9, 1]), (m) => !m.is2D && m.m43 === 9],
  ...Object.fromEntries(['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'].map((name) => [
    name, [named(name), (e) => e.constructor.name === name && e.name === name && e.message === 'message of ' + name && typeof e.stack === 'string']])),
  cause: [new Error('outer', { cause: { why: 1 } }), (e) => e.message === 'outer' && e.cause?.why === 1],
};
const KEYS = [5, -1.5, -Infinity, Infinity, 'text', '\ud800', '', new Date(99), new Uint8Array([1, 2]), [1, ['a', new Date(5)]], []];

const db = () =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open('values', 2);
    request.onupgradeneeded = () => ['values', 'keys'].forEach((name) => request.result.createObjectStore(name));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
const answer = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
const ALGORITHMS = {
  aes: [{ name: 'AES-GCM', length: 256 }, ['encrypt', 'decrypt']],
  hmac: [{ name: 'HMAC', hash: 'SHA-256' }, ['sign', 'verify']],
  ecdsa: [{ name: 'ECDSA', namedCurve: 'P-256' }, ['sign', 'verify']],
  rsa: [{ name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, ['sign', 'verify']],
};

async function write() {
  const cryptoKeys = {};
  for (const [name, [algorithm, usages]] of Object.entries(ALGORITHMS)) cryptoKeys[name] = await crypto.subtle.generateKey(algorithm, true, usages);
  const open = await db();
  const transaction = open.transaction(['values', 'keys'], 'readwrite');
  for (const [name, [value]] of Object.entries(VALUES)) transaction.objectStore('values').put(value, name);
  for (const [name, value] of Object.entries(cryptoKeys)) transaction.objectStore('values').put({ before: 1, value, again: value }, 'key ' + name);
  KEYS.forEach((key, i) => transaction.objectStore('keys').put(i, key));
  await new Promise((resolve, reject) => { transaction.oncomplete = resolve; transaction.onabort = () => reject(transaction.error); });
  open.close();
  localStorage.setItem('\ud800 lone', '\udfff');
  localStorage.setItem('', 'empty key');
  localStorage.setItem('__proto__', 'p');
}

async function check() {
  const open = await db();
  const failures = [];
  const names = [];
  const expect = (name, holds) => { names.push(name); if (!holds) failures.push(name); };
  for (const [name, [, holds]] of Object.entries(VALUES)) {
    const got = await answer(open.transaction('values').objectStore('values').get(name));
    expect(name, await Promise.resolve().then(() => holds(got)).catch(() => false));
  }
  for (const [name, [algorithm, usages]] of Object.entries(ALGORITHMS)) {
    const { value, again } = await answer(open.transaction('values').objectStore('values').get('key ' + name));
    const keys = value instanceof CryptoKey ? [value] : [value.publicKey, value.privateKey];
    expect('key ' + name, keys.every((key) => key instanceof CryptoKey && key.extractable && key.algorithm.name === algorithm.name && key.usages.length));
    expect('shared key ' + name, value instanceof CryptoKey ? again === value : again.privateKey === value.privateKey);
  }
  for (const [i, key] of KEYS.entries())
    expect('idb key ' + i, (await answer(open.transaction('keys').objectStore('keys').get(key))) === i);
  open.close();
  expect('localStorage', localStorage.getItem('\ud800 lone') === '\udfff' && localStorage.getItem('') === 'empty key' && localStorage.getItem('__proto__') === 'p');
  return { failures, names, count: names.length };
}
