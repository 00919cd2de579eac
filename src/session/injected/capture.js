// Reads what this origin keeps, as lines of JSON in a canonical order (see session/part.rs for the lines), some
// megabytes per call. Called with {begin: true, budget, session, permitted} first, then {budget} until
// `done`; `session` says where sessionStorage is read (tab_storage.rs), `permitted` whether it is told what the document may do.
const capture = (() => {
  const byCodeUnits = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const wait = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const open = (name) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      // It was deleted between the listing and now: leave no empty one behind.
      request.onupgradeneeded = () => { request.transaction.abort(); };
      request.onblocked = () => reject(new Error('blocked by another connection'));
    });
  const previewKey = (key) => {
    try { return typeof key === 'string' ? key.toWellFormed() : key instanceof Date ? key.toISOString() : JSON.stringify(key); }
    catch { return String(key); }
  };

  const schemaOf = (db) => {
    const names = [...db.objectStoreNames];
    if (!names.length) return [];
    const transaction = db.transaction(names, 'readonly');
    return names.map((name) => {
      const store = transaction.objectStore(name);
      const indexes = [...store.indexNames].map((index) => {
        const { keyPath, unique, multiEntry } = store.index(index);
        return { name: codec.encodeString(index), key_path: keyPath, unique, multi: multiEntry };
      });
      return { name: codec.encodeString(name), key_path: store.keyPath, auto: store.autoIncrement, indexes };
    });
  };

  // Record after record; pages grow and shrink so that one holds about a megabyte, whatever a record weighs.
  async function* records(db, store, note) {
    let size = 64;
    let range = null;
    for (;;) {
      const source = db.transaction(store, 'readonly').objectStore(store);
      const [keys, values] = await Promise.all([wait(source.getAllKeys(range, size)), wait(source.getAll(range, size))]);
      let weight = 0;
      // Together: a turn of all the generators above per record would cost more than the record.
      const lines = [];
      for (let i = 0; i < keys.length; i++) {
        let line;
        try {
          const jobs = [];
          const node = { t: 'rec', k: codec.encode(keys[i], jobs), v: codec.encode(values[i], jobs) };
          if (jobs.length) await Promise.all(jobs);
          line = JSON.stringify(node);
        } catch (error) {
          note(`indexedDB:${db.name}/${store}`, previewKey(keys[i]), error.message || String(error));
          continue;
        }
        weight += line.length;
        lines.push(line);
      }
      if (lines.length) yield lines.join('\n');
      if (keys.length < size) return;
      range = IDBKeyRange.lowerBound(keys[keys.length - 1], true);
      size = Math.max(1, Math.min(4096, weight ? Math.round((size * 1e6) / weight) : size * 2));
    }
  }

  async function* databases(note, auto, listed) {
    const list = (await listed).sort((a, b) => byCodeUnits(a.name, b.name));
    for (const { name } of list) {
      let db;
      try {
        db = await open(name);
        // A version change that somebody waits for must not wait for us.
        db.onversionchange = () => db.close();
        const stores = schemaOf(db);
        yield JSON.stringify({ t: 'db', name: codec.encodeString(name), version: db.version, stores });
        for (const store of db.objectStoreNames) {
          yield JSON.stringify({ t: 'store', name: codec.encodeString(store) });
          yield* records(db, store, note);
          if (stores.find((s) => codec.decodeString(s.name) === store)?.auto) auto.push([name, store]);
        }
      } catch (error) {
        note(`indexedDB:${name}`, null, error.message || String(error));
      } finally {
        db?.close();
      }
    }
  }

  // What the tab in question holds: this document's own, where it is in that tab (`items` is null); else what was seen of it.
  const sessionLines = ({ items, kept }, note) => {
    const pairs = items ?? Array.from({ length: sessionStorage.length }, (_, i) => {
      const key = sessionStorage.key(i);
      return [key, sessionStorage.getItem(key)];
    });
    if (!pairs.length && kept) return kept.split('\n').filter(Boolean);
    // From outside the page Chromium writes U+FFFD where a text is no Unicode.
    for (const [key, value] of items ?? [])
      if ((key + value).includes('\ufffd')) note('sessionStorage', key, 'perhaps not exact: its tab has left the origin');
    return pairs
      .sort(([a], [b]) => byCodeUnits(a, b))
      .map(([k, v]) => JSON.stringify({ t: 'ss', k: codec.encodeString(k), v: codec.encodeString(v) }));
  };

  async function* lines(note, auto, session, { listed, cached, stored, registered }) {
    try {
      // By index: a key named like a property of Storage ("length") is not among its own names.
      const keys = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i));
      for (const key of keys.sort(byCodeUnits))
        yield JSON.stringify({ t: 'ls', k: codec.encodeString(key), v: codec.encodeString(localStorage.getItem(key)) });
    } catch (error) {
      note('localStorage', null, error.message || String(error));
    }
    try { yield* sessionLines(session, note); } catch (error) { note('sessionStorage', null, error.message || String(error)); }
    try { yield* databases(note, auto, listed); } catch (error) { note('indexedDB', null, error.message || String(error)); }
    try { yield* bodies.caches(note, cached); } catch (error) { note('cacheStorage', null, error.message || String(error)); }
    try { yield* bodies.files(note, stored); } catch (error) { note('fileSystem', null, error.message || String(error)); }
    try { yield* workers(session.workers, registered); } catch (error) { note('serviceWorker', null, error.message || String(error)); }
  }

  // Of a registration a page can read the scope, the script and how it is kept up to date.
  // Those that are `kept` and could not be put back (their site is away) stay.
  async function* workers(kept, registered) {
    const all = (kept ?? '').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    for (const found of (await registered) ?? []) {
      const script = (found.active ?? found.waiting ?? found.installing)?.scriptURL;
      if (!script) continue;
      const at = all.findIndex(({ scope }) => scope === found.scope);
      if (at >= 0) all.splice(at, 1);
      all.push({ t: 'sw', scope: found.scope, script, update: found.updateViaCache });
    }
    for (const each of all.sort((a, b) => byCodeUnits(a.scope, b.scope))) yield JSON.stringify(each);
  }

  // Names that Chromium takes and a page can ask for. One that it does not know is left out.
  const PERMISSIONS = ['accelerometer', 'background-sync', 'camera', 'captured-surface-control', 'clipboard-read', 'clipboard-write',
    'display-capture', 'geolocation', 'gyroscope', 'idle-detection', 'keyboard-lock', 'local-fonts', 'local-network-access',
    'magnetometer', 'microphone', 'midi', 'nfc', 'notifications', 'payment-handler', 'persistent-storage', 'pointer-lock',
    'screen-wake-lock', 'speaker-selection', 'storage-access', 'window-management'];
  const permissions = async () => {
    const asked = PERMISSIONS.map(async (name) => [name, (await navigator.permissions.query({ name })).state]);
    const told = await Promise.allSettled(navigator.permissions ? asked : []);
    return { secure: isSecureContext, states: Object.fromEntries(told.filter((t) => t.value).map((t) => t.value)) };
  };

  return async ({ begin, budget, session, ask, permitted }) => {
    if (ask) return { text: '', done: true, partial: [], auto: [], at: location.origin, permissions: await permissions() };
    const self = capture;
    if (begin) {
      // One that nobody asked to its end closes its database.
      self.source?.return();
      self.partial = [];
      self.auto = [];
      // Questions that only the browser can answer are asked at once: they are on their way while the rest is read.
      const begun = (answer) => { answer.catch(() => {}); return answer; };
      self.permitted = permitted ? begun(permissions()) : undefined;
      const asked = {
        listed: begun((async () => indexedDB.databases())()),
        cached: begun((async () => globalThis.caches?.keys())()),
        stored: begun(bodies.listed()),
        registered: begun((async () => navigator.serviceWorker?.getRegistrations())()),
      };
      const note = (store, key, reason) => self.partial.push({ store, key, reason });
      self.source = lines(note, self.auto, session, asked);
    }
    const page = [];
    for (let size = 0; size < budget; ) {
      const { value, done } = await self.source.next();
      if (done) {
        const told = await self.permitted;
        return { text: page.join(''), done, partial: self.partial, auto: self.auto, at: location.origin, permissions: told };
      }
      page.push(value + '\n');
      size += value.length;
    }
    return { text: page.join(''), done: false, partial: [], auto: [], at: location.origin };
  };
})();
