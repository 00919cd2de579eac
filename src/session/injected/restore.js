// Writes the lines that capture.js made into an origin that nothing of this run has touched yet. Called with {text} some
// megabytes at a time and {end: true} at last; answers what could not be written.
const restore = (() => {
  const BATCH = 512;
  const wait = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const finished = (transaction) =>
    new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
    });

  const create = (db, schema) => {
    for (const { name, key_path, auto, indexes } of schema) {
      const store = db.createObjectStore(codec.decodeString(name), { keyPath: key_path, autoIncrement: auto });
      for (const { name, key_path, unique, multi } of indexes)
        store.createIndex(codec.decodeString(name), key_path, { unique, multiEntry: multi });
    }
  };
  const open = (name, version, schema) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => create(request.result, schema);
    return wait(request);
  };

  // Where the generator stands further than the records tell, it got there by a record that is gone: make one, remove it.
  const moveGenerator = async (db, name, next) => {
    if (next <= 1) return;
    const store = db.transaction(name, 'readwrite').objectStore(name);
    const probe = next - 1;
    if ((await wait(store.getKey(probe))) !== undefined) return;
    const path = store.keyPath;
    if (path === null) store.put(null, probe);
    else {
      const value = {};
      const steps = path.split('.');
      const last = steps.pop();
      steps.reduce((at, step) => (at[step] = {}), value)[last] = probe;
      store.put(value);
    }
    store.delete(probe);
    await finished(store.transaction);
  };

  const state = { db: null, store: null, inline: false, batch: [], failed: [], cache: null, cacheName: '', head: null, body: [], file: null };
  const fail = (store, key, error) => state.failed.push({ store, key, reason: error?.message || String(error) });

  const flush = async () => {
    const { db, store, batch, inline } = state;
    if (!batch.length) return;
    state.batch = [];
    const put = async (entries) => {
      const transaction = db.transaction(store, 'readwrite', { durability: 'relaxed' });
      const target = transaction.objectStore(store);
      const done = finished(transaction);
      for (const { key, value } of entries) inline ? target.put(value) : target.put(value, key);
      await done;
    };
    try {
      await put(batch);
    } catch {
      // One bad record aborts its whole transaction: the rest is written one by one.
      for (const entry of batch)
        await put([entry]).catch((error) => fail(`indexedDB:${db.name}/${store}`, String(entry.key), error));
    }
  };

  // The head of a cached response or of a file; its body comes in lines after it.
  const whole = async () => {
    const { head, body, file } = state;
    if (!head) return;
    [state.head, state.body, state.file] = [null, [], null];
    try {
      head.t === 'entry' ? await bodies.putEntry(state.cache, head, body) : await file?.close();
    } catch (error) { failHead(head, error); }
  };
  const failHead = (head, error) => {
    if (head.t === 'entry') fail(`cacheStorage:${state.cacheName}`, bodies.shown(head.url), error);
    else fail('fileSystem', head.path.map(codec.decodeString).join('/'), error);
  };

  const line = async (entry) => {
    if (entry.t !== 'body') await whole();
    switch (entry.t) {
      case 'cache':
        state.cacheName = codec.decodeString(entry.name);
        state.cache = await caches.open(state.cacheName).catch((error) => (fail(`cacheStorage:${state.cacheName}`, null, error), null));
        return;
      case 'entry':
        state.head = state.cache ? entry : null;
        return;
      case 'file':
        state.head = entry;
        state.file = await bodies.createFile(entry).catch((error) => ((state.head = null), failHead(entry, error), null));
        return;
      case 'dir':
        await bodies.directory(entry.path).catch((error) => fail('fileSystem', entry.path.map(codec.decodeString).join('/'), error));
        return;
      case 'body':
        // A file is written as it comes. As a Blob a piece is Chromium's to hold, and leaves this script's memory.
        if (state.file)
          await state.file.write(codec.fromBase64(entry.d)).catch((error) => {
            failHead(state.head, error);
            [state.head, state.file] = [null, null];
          });
        else if (state.head) state.body.push(new Blob([codec.fromBase64(entry.d)]));
        return;
      case 'sw':
        try { await bodies.register(entry); } catch (error) { fail('serviceWorker', entry.scope, error); }
        return;
      case 'ls': {
        const key = codec.decodeString(entry.k);
        try { localStorage.setItem(key, codec.decodeString(entry.v)); } catch (error) { fail('localStorage', key, error); }
        return;
      }
      case 'db': {
        await flush();
        state.db?.close();
        const name = codec.decodeString(entry.name);
        state.db = await open(name, entry.version, entry.stores).catch((error) => (fail(`indexedDB:${name}`, null, error), null));
        return;
      }
      case 'store':
        await flush();
        state.store = codec.decodeString(entry.name);
        state.inline = state.db !== null && state.db.transaction(state.store).objectStore(state.store).keyPath !== null;
        return;
      case 'rec':
        if (!state.db) return;
        try {
          // Few values hold keys, and looking for one is slow.
          if (entry.keyed) await codec.importKeys(entry.v);
          state.batch.push({ key: codec.decode(entry.k), value: codec.decode(entry.v) });
        } catch (error) {
          fail(`indexedDB:${state.db.name}/${state.store}`, JSON.stringify(entry.k), error);
        }
        if (state.batch.length >= BATCH) await flush();
        return;
      case 'next': {
        await flush();
        const [database, store] = [codec.decodeString(entry.db), codec.decodeString(entry.store)];
        if (state.db?.name !== database) {
          state.db?.close();
          state.db = await wait(indexedDB.open(database)).catch(() => null);
        }
        if (state.db) await moveGenerator(state.db, store, entry.n).catch((error) => fail(`indexedDB:${database}/${store}`, null, error));
        return;
      }
    }
  };

  return async ({ text, end }) => {
    for (const each of text.split('\n'))
      if (each) await line(each.includes('["key",') ? { ...JSON.parse(each), keyed: true } : JSON.parse(each));
    // Batches do not outlive a call, so memory is bounded by the text of one.
    await flush();
    if (end) {
      await whole();
      state.db?.close();
      state.db = null;
    }
    return { failed: end ? state.failed : [] };
  };
})();
