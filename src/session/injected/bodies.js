// What is kept with a body: Cache Storage and the origin's private file system; and service workers, which go with them.
// Read and written in pieces: a body never stands in this script's memory as a whole.
const bodies = (() => {
  const PIECE = 768 * 1024;
  // Per origin, for each of the two kinds.
  const CAP = 64 * 1024 * 1024;
  const INSTALL_TIMEOUT = 10000;
  // How often what changes under the reading is read anew.
  const TRIES = 10;
  const tooMuch = (count, what) => `more than 64 MiB of this kind at one origin: ${count} ${what} left out`;
  const byCodeUnits = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const message = (error) => error.message || String(error);
  // What a page writes to a file is in another one until it is done, which Chromium names so.
  const SWAP = '.crswap';
  // What changed under the reading when some of it had been given out, which cannot be taken back: all is to be read anew.
  class Torn extends Error {}
  // Queries may hold secrets, and are no part of a name.
  const shown = (url) => url.replace(/[?#].*$/s, '');

  // Of a Blob or an ArrayBuffer, whose head was given out.
  async function* pieces(body) {
    const size = body.size ?? body.byteLength;
    for (let at = 0; at < size; at += PIECE) {
      const piece = body.slice(at, at + PIECE);
      const bytes = piece instanceof Blob ? await piece.arrayBuffer().catch((error) => { throw new Torn(message(error)); }) : piece;
      yield JSON.stringify({ t: 'body', d: codec.toBase64(new Uint8Array(bytes)) });
    }
  }

  const headOf = (request, response) => JSON.stringify({
    t: 'entry', method: request.method, url: request.url, headers: [...request.headers],
    status: response.status, text: response.statusText, response: [...response.headers],
  });

  // Caches and entries in the order in which they were made, which decides what `match` finds.
  async function* cachesHere(note) {
    const used = { bytes: 0 };
    for (const name of (await globalThis.caches?.keys()) ?? []) {
      const store = `cacheStorage:${name.toWellFormed()}`;
      try { yield* entriesIn(name, store, note, used); } catch (error) {
        if (error instanceof Torn) throw error;
        note(store, null, message(error));
      }
    }
  }

  async function* entriesIn(name, store, note, used) {
    // To open one that has gone since would make it.
    if (!(await caches.has(name))) return;
    const cache = await caches.open(name);
    let over = 0;
    yield JSON.stringify({ t: 'cache', name: codec.encodeString(name) });
    for (const request of await cache.keys()) {
      const found = await answerTo(cache, request).catch((error) => { note(store, shown(request.url), message(error)); });
      if (!found) continue;
      const { response, body } = found;
      if (used.bytes + body.size > CAP) {
        over++;
        continue;
      }
      used.bytes += body.size;
      yield headOf(request, response);
      yield* pieces(body);
    }
    if (over) note(store, null, tooMuch(over, 'of its entries'));
  }

  // A response with its whole body; nothing where it has gone since it was listed.
  const answerTo = async (cache, request) => {
    for (let tries = 1; ; tries++) {
      const response = await cache.match(request, { ignoreVary: false });
      if (!response) return null;
      if (response.type.startsWith('opaque')) throw new Error('an opaque response cannot be read');
      try { return { response, body: await response.blob() }; } catch (error) { if (tries >= TRIES) throw error; }
    }
  };

  // What a file holds at one moment: a File cannot be read any more once another content has taken the place of that which it was made
  // of. Nothing where it is larger than `room`.
  const contentOf = async (handle, room) => {
    for (let tries = 1; ; tries++) {
      const file = await handle.getFile();
      if (file.size > room) return null;
      try {
        // A larger one is Chromium's to hold, as a cached response is.
        return await (file.size > PIECE ? new Response(file.stream()).blob() : file.arrayBuffer());
      } catch (error) { if (tries >= TRIES) throw error; }
    }
  };

  const hasGone = (error) => error.name === 'NotFoundError';

  const listing = async (directory) => {
    const found = [];
    for await (const entry of directory.entries()) found.push(entry);
    return new Map(found.sort(([a], [b]) => byCodeUnits(a, b)));
  };

  // A page may name a file of its own so, too: then there is no other that this could be put in the place of.
  const isSwap = (name, has) =>
    name.endsWith(SWAP) && [SWAP.length, /(\.\d+)?\.crswap$/.exec(name)[0].length].some((end) => has(name.slice(0, -end)));

  // `first` is what stood in the directory before its line was given out. It is listed again until nothing new is found: what got
  // another name meanwhile may stand in no list.
  async function* filesIn(directory, path, first, note, used) {
    const named = (name) => [...path.map(codec.decodeString), name].join('/');
    const read = new Map();
    // By name: how what was listed could not be found.
    const gone = new Map();
    // Named like swap files of no other file: taken for a page's own when they are listed twice.
    const odd = new Set();
    for (let tries = 1, calm = 2; calm > 0; tries++) {
      const again = () => listing(directory).catch((error) => { throw new Torn(`directory ${named('')}: ${message(error)}`); });
      const listed = tries === 1 ? first : await again();
      const fresh = [...listed].filter(([name, { kind }]) =>
        !read.has(name) && !(kind === 'file' && isSwap(name, (other) => listed.has(other) || read.has(other))));
      // It may be what is new, or one of many that are being deleted: then there is no moment at which all that was read was there.
      const lost = [...read.keys()].find((name) =>
        !listed.has(name) && (fresh.length || gone.size || read.get(name) === 'directory'));
      if (lost !== undefined) throw new Torn(`${named(lost)} was moved or deleted`);
      if (!fresh.length) calm--;
      else if (tries > TRIES) {
        for (const [name] of fresh) note('fileSystem', named(name), gone.get(name) ?? 'it was made while the others were read');
        return;
      } else calm = 1;
      for (const [name, handle] of fresh) {
        if (handle.kind === 'file' && name.endsWith(SWAP) && !odd.has(name)) {
          odd.add(name);
          continue;
        }
        try { yield* entryOf(handle, [...path, codec.encodeString(name)], note, used); } catch (error) {
          if (error instanceof Torn) throw error;
          if (hasGone(error)) {
            gone.set(name, message(error));
            calm = 2;
            continue;
          }
          note('fileSystem', named(name), message(error));
        }
        read.set(name, handle.kind);
        gone.delete(name);
      }
    }
  }

  async function* entryOf(handle, at, note, used) {
    if (handle.kind === 'directory') {
      // As with a file: one that cannot be read leaves no line behind.
      const first = await listing(handle);
      yield JSON.stringify({ t: 'dir', path: at });
      yield* filesIn(handle, at, first, note, used);
      return;
    }
    // Before its head is given out: a file that cannot be read leaves nothing behind.
    const content = await contentOf(handle, CAP - used.bytes);
    if (!content) {
      used.over++;
      return;
    }
    used.bytes += content.size ?? content.byteLength;
    yield JSON.stringify({ t: 'file', path: at });
    yield* pieces(content);
  }

  async function* files(note) {
    if (!navigator.storage?.getDirectory) return;
    const used = { bytes: 0, over: 0 };
    const root = await navigator.storage.getDirectory();
    yield* filesIn(root, [], await listing(root), note, used);
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

  return { Torn, caches: cachesHere, files, putEntry, createFile, directory, register, shown };
})();
