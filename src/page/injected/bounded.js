(plain, most, argument, code) => {
  // What leaves the page is counted on the way, also what is thrown. The page may have replaced all that is its own, so what
  // bounds is syntax: objects without a prototype (a `then` of the page's would answer in their place), no method of a string.
  const over = {};
  const longest = 4096;
  let left = most;
  const spend = text => { if ((left -= text.length + 8) < 0) throw over; return text; };
  const cut = text => {
    let out = '';
    for (let at = 0; at < text.length && at < longest; at++) {
      // Half a character at the end is none.
      if (at === longest - 1 && text[at] >= '\ud800' && text[at] <= '\udbff') break;
      out += text[at];
    }
    return out;
  };
  const thrown = error => {
    let text = 'something was thrown that has no text', line = 0;
    try {
      const stack = typeof error === 'object' && error !== null ? error.stack : undefined;
      if (typeof stack === 'string' && stack !== '') {
        // The places of the stack mean nothing outside, but for the one in the code that was given.
        const [message, ...places] = cut(stack).split('\n    at ');
        const [, place] = /<anonymous>:(\d+)/.exec(places.join(' ')) ?? [];
        text = '' + message;
        line = place | 0;
      } else text = '' + error;
    } catch {}
    return { __proto__: null, thrown: cut(text), line };
  };
  let value, failed = null;
  try {
    value = code();
    if (typeof value === 'function') value = value(argument);
  } catch (error) { failed = thrown(error); }
  const then = async resolve => {
    if (failed !== null) return resolve(failed);
    try {
      value = await value;
      resolve({ __proto__: null, value: plain(value, spend, over) });
    } catch (error) { resolve(error === over ? { __proto__: null, over: true } : thrown(error)); }
  };
  return { __proto__: null, then };
}
