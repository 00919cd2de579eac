// Reads what this origin keeps, as lines of JSON in a canonical order (see session/part.rs for the lines), some
// megabytes per call. Called with {begin: true, budget, session, permitted} first, then {budget}
// until `done`; `session` says where sessionStorage is read (tab_storage.rs), `permitted` whether it is told what the document may do. `torn` says that what was given out is to be thrown away:
// something changed under the reading.
const capture = (() => {
  const byCodeUnits = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const wait = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  // Nothing where it was deleted since it was listed.
  const open = (name) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      let isGone = false;
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => (isGone ? resolve(null) : reject(request.error));
      // Leave no empty one behind.
      request.onupgradeneeded = () => { isGone = true; request.transaction.abort(); };
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

  async function* databases(note, auto) {
    const list = (await indexedDB.databases()).sort((a, b) => byCodeUnits(a.name, b.name));
    for (const { name } of list) {
      let db;
      let isClosed = false;
      try {
        db = await open(name);
        if (!db) continue;
        // A version change that somebody waits for must not wait for us.
        db.onversionchange = () => { isClosed = true; db.close(); };
        db.onclose = () => { isClosed = true; };
        const stores = schemaOf(db);
        yield JSON.stringify({ t: 'db', name: codec.encodeString(name), version: db.version, stores });
        for (const store of db.objectStoreNames) {
          yield JSON.stringify({ t: 'store', name: codec.encodeString(store) });
          yield* records(db, store, note);
          if (stores.find((s) => codec.decodeString(s.name) === store)?.auto) auto.push([name, store]);
        }
      } catch (error) {
        // Some of it was given out: the rest is not to be taken for gone.
        if (isClosed) throw new bodies.Torn(`database ${name.toWellFormed()} was upgraded or deleted`);
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

  // What takes the browser several answers is begun at once, up to its first line: they are on their way together.
  const ahead = (source) => {
    const begun = source.next();
    begun.catch(() => {});
    return {
      async *lines() {
        for (let next = begun; ; next = source.next()) {
          const { value, done } = await next;
          if (done) return;
          yield value;
        }
      },
      end: () => source.return().catch(() => {}),
    };
  };

  async function* lines(note, auto, session, registered) {
    const [databasesHere, cachesHere, filesHere] = [databases(note, auto), bodies.caches(note), bodies.files(note)].map(ahead);
    const kinds = [
      ['localStorage', localLines],
      ['sessionStorage', () => sessionLines(session, note)],
      ['indexedDB', databasesHere.lines],
      ['cacheStorage', cachesHere.lines],
      ['fileSystem', filesHere.lines],
      ['serviceWorker', () => workers(session.workers, registered)],
    ];
    try {
      for (const [kind, read] of kinds) {
        try { yield* read(); } catch (error) {
          if (error instanceof bodies.Torn) throw error;
          note(kind, null, error.message || String(error));
        }
      }
    } finally {
      // One that was not read to its end closes its database.
      for (const begun of [databasesHere, cachesHere, filesHere]) begun.end();
    }
  }

  function* localLines() {
    // By index: a key named like a property of Storage ("length") is not among its own names. All at once: the page may go on
    // between two calls.
    const keys = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i));
    for (const [k, v] of keys.sort(byCodeUnits).map((key) => [key, localStorage.getItem(key)]))
      yield JSON.stringify({ t: 'ls', k: codec.encodeString(k), v: codec.encodeString(v) });
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
      const registered = begun((async () => navigator.serviceWorker?.getRegistrations())());
      const { partial, auto } = self;
      const note = (store, key, reason) => partial.push({ store, key, reason });
      self.source = lines(note, auto, session, registered);
    }
    // One that is not waited for any more must not take what belongs to the next.
    const { source } = self;
    const page = [];
    try {
      for (let size = 0; size < budget; ) {
        const { value, done } = await source.next();
        if (self.source !== source) throw new bodies.Torn('another reading has begun');
        if (done) {
          const told = await self.permitted;
          return { text: page.join(''), done, partial: self.partial, auto: self.auto, at: location.origin, permissions: told };
        }
        page.push(value + '\n');
        size += value.length;
      }
    } catch (error) {
      if (!(error instanceof bodies.Torn)) throw error;
      return { text: '', done: true, partial: [], auto: [], at: location.origin, torn: error.message };
    }
    return { text: page.join(''), done: false, partial: [], auto: [], at: location.origin };
  };
})();
