// What is kept with a body: Cache Storage and the origin's private file system; and service workers, which go with them.
// Read and written in pieces: a body never stands in this script's memory as a whole.
const bodies = (() => {
  const PIECE = 768 * 1024;
  // Per origin, for each of the two kinds.
  const CAP = 64 * 1024 * 1024;
  const INSTALL_TIMEOUT = 10000;
  const tooMuch = (count, what) => `more than 64 MiB of this kind at one origin: ${count} ${what} left out`;
  const byCodeUnits = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const message = (error) => error.message || String(error);
  // Queries may hold secrets, and are no part of a name.
  const shown = (url) => url.replace(/[?#].*$/s, '');

  async function* pieces(blob) {
    for (let at = 0; at < blob.size; at += PIECE) {
      const bytes = new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer());
      yield JSON.stringify({ t: 'body', d: codec.toBase64(bytes) });
    }
  }

  const headOf = (request, response) => JSON.stringify({
    t: 'entry', method: request.method, url: request.url, headers: [...request.headers],
    status: response.status, text: response.statusText, response: [...response.headers],
  });

  // Caches and entries in the order in which they were made, which decides what `match` finds.
  async function* cachesHere(note, cached) {
    let used = 0;
    for (const name of (await cached) ?? []) {
      const store = `cacheStorage:${name.toWellFormed()}`;
      // It was deleted between the listing and now: leave no empty one behind.
      if (!await caches.has(name)) continue;
      const cache = await caches.open(name);
      let over = 0;
      yield JSON.stringify({ t: 'cache', name: codec.encodeString(name) });
      for (const request of await cache.keys()) {
        try {
          const response = await cache.match(request, { ignoreVary: false });
          if (!response) continue;
          if (response.type.startsWith('opaque')) throw new Error('an opaque response cannot be read');
          const body = await response.blob();
          if (used + body.size > CAP) {
            over++;
            continue;
          }
          used += body.size;
          yield headOf(request, response);
          yield* pieces(body);
        } catch (error) { note(store, shown(request.url), message(error)); }
      }
      if (over) note(store, null, tooMuch(over, 'of its entries'));
    }
  }

  const entriesOf = async (directory) => {
    const found = [];
    for await (const entry of directory.entries()) found.push(entry);
    return found;
  };

  async function* filesIn(found, path, note, used) {
    for (const [name, handle] of found.sort(([a], [b]) => byCodeUnits(a, b))) {
      const at = [...path, codec.encodeString(name)];
      if (handle.kind === 'directory') {
        yield JSON.stringify({ t: 'dir', path: at });
        yield* filesIn(await entriesOf(handle), at, note, used);
        continue;
      }
      try {
        const file = await handle.getFile();
        if (used.bytes + file.size > CAP) {
          used.over++;
          continue;
        }
        // Opened before its head is written: a file that cannot be read leaves nothing behind.
        await file.slice(0, 1).arrayBuffer();
        used.bytes += file.size;
        yield JSON.stringify({ t: 'file', path: at });
        yield* pieces(file);
      } catch (error) { note('fileSystem', at.map(codec.decodeString).join('/'), message(error)); }
    }
  }

  // What the private file system begins with.
  const listed = async () => (navigator.storage?.getDirectory ? entriesOf(await navigator.storage.getDirectory()) : []);

  async function* files(note, stored) {
    const used = { bytes: 0, over: 0 };
    yield* filesIn(await stored, [], note, used);
    if (used.over) note('fileSystem', null, tooMuch(used.over, 'of its files'));
  }

  const putEntry = async (cache, head, body) => {
    const empty = [101, 204, 205, 304].includes(head.status);
    const response = new Response(empty ? null : new Blob(body), { status: head.status, statusText: head.text, headers: head.response });
    await cache.put(new Request(head.url, { method: head.method, headers: head.headers }), response);
  };

  const directory = async (path) => {
    let at = await navigator.storage.getDirectory();
    for (const name of path) at = await at.getDirectoryHandle(codec.decodeString(name), { create: true });
    return at;
  };

  // The file is there once this is closed.
  const createFile = async (head) => {
    const parent = await directory(head.path.slice(0, -1));
    const handle = await parent.getFileHandle(codec.decodeString(head.path.at(-1)), { create: true });
    return handle.createWritable();
  };

  // Fetches the script from the site and waits until it can control a page. No page can read of which type it was.
  const register = async ({ scope, script, update }) => {
    const options = { scope, updateViaCache: update };
    const active = async () => {
      const made = await navigator.serviceWorker.register(script, options)
        .catch(() => navigator.serviceWorker.register(script, { ...options, type: 'module' }));
      const worker = made.active ?? made.waiting ?? made.installing;
      await new Promise((resolve, reject) => {
        const look = () => {
          if (worker.state === 'activated') resolve();
          if (worker.state === 'redundant') reject(new Error('its installation failed'));
        };
        worker.addEventListener('statechange', look);
        look();
      });
    };
    const late = new Promise((_, reject) =>
      setTimeout(() => reject(new Error(`not active after ${INSTALL_TIMEOUT / 1000} s`)), INSTALL_TIMEOUT));
    await Promise.race([active(), late]);
  };

  return { caches: cachesHere, files, listed, putEntry, createFile, directory, register, shown };
})();
