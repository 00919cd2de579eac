// Fills an origin with what Playwright's storageState can hold; `check.js` looks whether it is all there. The recorded
// file of Playwright was made of a page that this ran in.
async () => {
  document.cookie = 'theme=dark; max-age=31536000; path=/';
  document.cookie = 'strict=1; SameSite=Strict; path=/';
  localStorage.setItem('device', 'dev-1');
  localStorage.setItem('lone', 'a\ud800b');
  localStorage.setItem('Z', 'upper');
  localStorage.setItem('é', 'žluť 😀');
  const upgrade = (db) => {
    const inline = db.createObjectStore('inline', { keyPath: 'id' });
    inline.createIndex('by_tag', 'tags', { multiEntry: true });
    inline.createIndex('by_two', ['a', 'b'], { unique: true });
    db.createObjectStore('auto', { autoIncrement: true });
    db.createObjectStore('keys');
    db.createObjectStore('nested', { keyPath: 'k.id', autoIncrement: true });
    db.createObjectStore('empty', { keyPath: ['x', 'y'] });
  };
  const db = await new Promise((ok, no) => {
    const request = indexedDB.open('app', 3);
    request.onupgradeneeded = () => upgrade(request.result);
    request.onsuccess = () => ok(request.result);
    request.onerror = () => no(request.error);
  });
  const t = db.transaction([...db.objectStoreNames], 'readwrite');
  const put = (store, value, ...key) => t.objectStore(store).put(value, ...key);
  const self = { name: 'self', list: [1, 2.5, null, 'x'] };
  self.me = self;
  self.when = new Date(1);
  put('inline', { id: 'one', tags: ['p', 'q'], a: 1, b: 'b', plain: { deep: [true, false, null] } });
  put('inline', { id: 'two', when: new Date(1234567890123), re: /a+b/gi, nan: NaN, inf: -Infinity, zero: -0,
    none: undefined, big: 12345678901234567890n });
  put('auto', 'first');
  put('auto', new Map([['k', new Set([1, { x: 1 }])]]));
  put('auto', new Uint8Array([1, 2, 255]));
  put('auto', new Float64Array([1.5, -2]));
  put('auto', new Uint8Array([9, 8]).buffer);
  put('auto', self);
  put('keys', 'date', new Date(5));
  put('keys', 'bytes', new Uint8Array([1, 2]));
  put('keys', 'list', ['a', 1]);
  put('keys', 'number', 1.5);
  put('keys', new TypeError('bad'), 'text');
  put('nested', { k: {}, v: 1 });
  await new Promise((ok) => (t.oncomplete = ok));
  db.close();
}
