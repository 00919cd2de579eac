// What of all that `fill.js` wrote is not there as it was; an empty list where nothing is missing.
async () => {
  const wrong = [];
  const is = (what, is) => { if (!is) wrong.push(what); };
  is('cookies', /theme=dark/.test(document.cookie) && /strict=1/.test(document.cookie));
  is('device', localStorage.device === 'dev-1');
  is('lone', localStorage.lone === 'a\ud800b');
  is('other', localStorage.Z === 'upper' && localStorage['é'] === 'žluť 😀');
  const db = await new Promise((ok, no) => {
    const request = indexedDB.open('app');
    request.onupgradeneeded = () => no(new Error('there was no database'));
    request.onsuccess = () => ok(request.result);
    request.onerror = () => no(request.error);
  });
  is('version', db.version === 3);
  is('stores', [...db.objectStoreNames].join() === 'auto,empty,inline,keys,nested');
  const t = db.transaction([...db.objectStoreNames], 'readonly');
  const wait = (request) => new Promise((ok, no) => { request.onsuccess = () => ok(request.result); request.onerror = () => no(request.error); });
  const store = (name) => t.objectStore(name);
  const tag = store('inline').index('by_tag');
  const two = store('inline').index('by_two');
  is('indexes', tag.multiEntry && !tag.unique && two.unique && String(two.keyPath) === 'a,b' && (await wait(tag.count('q'))) === 1);
  is('paths', store('nested').keyPath === 'k.id' && store('auto').autoIncrement && store('auto').keyPath === null
    && String(store('empty').keyPath) === 'x,y');
  const one = await wait(store('inline').get('one'));
  is('plain', JSON.stringify(one) === '{"id":"one","tags":["p","q"],"a":1,"b":"b","plain":{"deep":[true,false,null]}}');
  const kinds = await wait(store('inline').get('two'));
  is('date', kinds.when instanceof Date && kinds.when.getTime() === 1234567890123);
  is('regexp', kinds.re instanceof RegExp && String(kinds.re) === '/a+b/gi');
  is('numbers', Number.isNaN(kinds.nan) && kinds.inf === -Infinity && Object.is(kinds.zero, -0));
  is('undefined', 'none' in kinds && kinds.none === undefined);
  is('bigint', kinds.big === 12345678901234567890n);
  const auto = await wait(store('auto').getAll());
  is('text', auto[0] === 'first');
  is('map and set', auto[1] instanceof Map && [...auto[1].get('k')][1].x === 1 && auto[1].get('k').has(1));
  is('bytes', auto[2] instanceof Uint8Array && auto[2].join() === '1,2,255');
  is('floats', auto[3] instanceof Float64Array && auto[3].join() === '1.5,-2');
  is('buffer', auto[4] instanceof ArrayBuffer && new Uint8Array(auto[4]).join() === '9,8');
  is('cycle', auto[5].me === auto[5] && auto[5].list.join() === '1,2.5,,x' && auto[5].when.getTime() === 1);
  is('date key', (await wait(store('keys').get(new Date(5)))) === 'date');
  is('binary key', (await wait(store('keys').get(new Uint8Array([1, 2])))) === 'bytes');
  is('list key', (await wait(store('keys').get(['a', 1]))) === 'list');
  is('fraction key', (await wait(store('keys').get(1.5))) === 'number');
  const error = await wait(store('keys').get('text'));
  is('error', error instanceof TypeError && error.message === 'bad');
  is('nested', (await wait(store('nested').get(1)))?.v === 1);
  db.close();
  return wrong;
}
