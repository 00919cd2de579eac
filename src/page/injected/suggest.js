  // ---- selectors to offer while one is being typed -----------------------------------------------------------------

  // Elements that are looked at, and the time for that and for choosing among what was found, in milliseconds.
  const MOST = 6000, SMALL = 500, GATHER = 9, CHOOSE = 8;
  const SHORT = 60;
  const OFFERED = 'button,select,textarea,input:not([type=hidden]),a[href],summary,[contenteditable=""],[contenteditable=true],[role=button],[role=link],[role=checkbox],[role=radio],[role=switch],[role=menuitem],[role=tab],[role=combobox],[role=textbox]';
  const WORDY = 'button,a[href],summary,[role=button],[role=link],[role=tab],[role=menuitem],input[type=submit],input[type=button]';
  const ATTRIBUTES = ['name', 'type', 'href', 'data-testid', 'placeholder', 'aria-label', 'title', 'alt', 'role', 'for'];

  // Below, or beside, as the combinator says; what can be operated comes first.
  const poolOf = (scopes, c) => {
    const all = new Set();
    const add = el => { if (el && !SILENT.has(el.nodeName) && all.size < MOST) all.add(el); };
    for (const scope of scopes) {
      if (c === '>') { for (const el of scope.children) add(el); }
      else if (c === '+') add(scope.nextElementSibling);
      else if (c === '~') { for (let el = scope.nextElementSibling; el; el = el.nextElementSibling) add(el); }
      else {
        if (!anyShadow()) for (const el of scope.querySelectorAll(OFFERED)) add(el);
        for (const el of below(scope)) { if (all.size >= MOST) break; add(el); }
      }
    }
    return all;
  };

  const quote = (text, mark) => mark + text.replace(new RegExp(`[${mark}\\\\]`, 'g'), '\\$&') + mark;
  // The ways to write `text` behind `engine=`, the plain one first.
  const written = (engine, text) => {
    const plain = !/["'`\\[\]()\u0130\u03a3]|>>|^\//.test(text);
    return [...(plain ? [`${engine}=${text}`] : []), `${engine}=${quote(text, '"')}`, `${engine}=${quote(text, "'")}`];
  };
  const inBrackets = (name, value) => {
    const plain = /^[a-z_][\w-]*$/i.test(value);
    return [...(plain ? [`[${name}=${value}]`] : []), `[${name}=${quote(value, '"')}]`, `[${name}=${quote(value, "'")}]`];
  };
  const escapedId = id => {
    const escaped = CSS.escape(id);
    // An escape that ends with a space is read as two compounds by some.
    return escaped.includes(' ') ? `[id=${quote(id, '"')}]` : '#' + escaped;
  };

  // ---- roles and names, only where they are beyond doubt: the browser itself judges them when the selector is used ---

  const INPUT_ROLES = { checkbox: 'checkbox', radio: 'radio', submit: 'button', button: 'button', reset: 'button', text: 'textbox', email: 'textbox', tel: 'textbox', url: 'textbox', password: 'textbox', search: 'searchbox', number: 'spinbutton', range: 'slider' };
  const SURE_ROLES = /^(button|link|textbox|checkbox|radio|heading|combobox|searchbox|spinbutton|slider|tab|menuitem|switch)$/;
  const roleOf = el => {
    const given = el.getAttribute('role');
    if (given) return SURE_ROLES.test(given) ? given : null;
    const tag = el.nodeName;
    if (tag === 'BUTTON') return 'button';
    if (tag === 'A') return el.hasAttribute('href') ? 'link' : null;
    if (tag === 'TEXTAREA') return 'textbox';
    if (tag === 'SELECT') return el.multiple || el.size > 1 ? null : 'combobox';
    if (tag === 'INPUT') return el.hasAttribute('list') ? null : INPUT_ROLES[el.type] ?? null;
    return /^H[1-6]$/.test(tag) ? 'heading' : null;
  };
  const decorated = el => ['::before', '::after'].some(part => !/^(none|normal)$/.test(getComputedStyle(el, part).content));
  // The text of an element that holds nothing but plain text, as it is rendered.
  const plainText = (el, beside) => {
    if (shadowOf(el)) return null;
    const all = Array.from(el.querySelectorAll('*')).filter(one => one !== beside);
    if (all.length > 5 || all.some(one => !/^(B|I|EM|STRONG|SPAN|SMALL|U)$/.test(one.nodeName) || shadowOf(one))) return null;
    if (all.some(one => Array.from(one.attributes).some(({ name }) => /^(aria-|role$|title$|hidden$)/.test(name)))) return null;
    const text = normal(el.textContent);
    return text && text === normal(el.innerText) && ![el, ...all].some(decorated) ? text : null;
  };
  const nameOf = el => {
    if (el.hasAttribute('aria-labelledby')) return null;
    const given = el.getAttribute('aria-label');
    if (given !== null) return normal(given) || null;
    if (el.nodeName === 'INPUT' && /^(submit|button|reset)$/.test(el.type)) return normal(el.value) || null;
    if (!/^(INPUT|TEXTAREA|SELECT)$/.test(el.nodeName)) return plainText(el);
    if (el.labels?.length) return el.labels.length === 1 ? plainText(el.labels[0], el) : null;
    return el.hasAttribute('title') ? null : normal(el.getAttribute('placeholder') ?? '') || null;
  };
  const isTold = el => {
    for (let node = el; node; node = up(node)) if (node.getAttribute('aria-hidden') === 'true' || node.inert) return false;
    const modal = document.querySelector(':modal');
    return (!modal || contains(modal, el)) && isVisible(el);
  };
  const roleForms = (el, tail) => {
    const role = roleOf(el);
    if (!role || !(`role=${role}`.startsWith(tail) || tail.startsWith(`role=${role}`)) || !isTold(el)) return [];
    const name = nameOf(el);
    const named = name && name.length <= SHORT ? ['"', "'"].map(mark => `role=${role}[name=${quote(name, mark)}]`) : [];
    return [['role', named], ['roles', [`role=${role}`]]];
  };

  // ---- what leads to an element ------------------------------------------------------------------------------------

  // [kind, ways to write it] for each selector of the element that could begin with what is typed.
  const FORMS = {
    testid: el => [el.getAttribute('data-testid')],
    label: el => labelsOf(el),
    placeholder: el => [el.getAttribute('placeholder')],
    alt: el => [el.getAttribute('alt')],
    title: el => [el.getAttribute('title')],
    id: el => [el.id],
    text: (el, open) => el.matches(WORDY) || (open && !el.firstElementChild) ? [textOf(el)] : [],
  };
  const engineForms = (el, want) => {
    const out = [];
    for (const [engine, read] of Object.entries(FORMS)) {
      if (!open(engine, want.tail) || (engine === 'id' && !want.tail.startsWith('id='))) continue;
      for (const text of read(el, want.tail.startsWith('text='))) {
        // What is matched as it stands in the document must be white space that people can write.
        if (!text || normal(text).length > SHORT || (/^(testid|id)$/.test(engine) && normal(text) !== text)) continue;
        out.push([engine, written(engine, normal(text))]);
      }
    }
    return want.tail === '' || open('role', want.tail) ? [...out, ...roleForms(el, want.tail)] : out;
  };
  const open = (engine, tail) => `${engine}=`.startsWith(tail) || tail.startsWith(`${engine}=`);

  // The compound that is being typed: what of it is finished, and the simple selector at its end.
  const splitCompound = tail => {
    const bracket = tail.lastIndexOf('[');
    const at = bracket > tail.lastIndexOf(']') ? bracket : Math.max(...['#', '.'].map(mark => tail.lastIndexOf(mark)));
    return at < 0 ? ['', tail] : [tail.slice(0, at), tail.slice(at)];
  };
  const cssForms = (el, [base, last]) => {
    if (base) { try { if (!el.matches(base)) return []; } catch { return []; } }
    const out = [];
    const add = (kind, ...ways) => out.push([kind, ways.map(way => base + way)]);
    const mark = last[0] ?? '';
    if ((mark === '#' || mark === '') && el.id && !/\s/.test(el.id)) add('#', escapedId(el.id));
    if (mark === '.' || mark === '') for (const one of el.classList) if (!CSS.escape(one).includes(' ')) add('.', '.' + CSS.escape(one));
    if (mark === '[') {
      for (const name of ATTRIBUTES) {
        const value = el.getAttribute(name);
        if (value && value.length <= SHORT && !/[\n\r\f]/.test(value)) add('[', ...inBrackets(name, value));
      }
    } else if (!base && !/[#.]/.test(mark)) {
      const tag = el.localName;
      const name = el.getAttribute('name');
      if (name && name.length <= SHORT && OFFER_NAMES.test(tag)) add('name', ...inBrackets('name', name).map(way => tag + way));
      if (/^[a-z][\w-]*$/.test(tag)) add('tag', tag);
    }
    return out;
  };
  const OFFER_NAMES = /^(input|select|textarea|button|iframe|form)$/;

  // ---- choosing ----------------------------------------------------------------------------------------------------

  const ORDER = ['#', 'testid', 'label', 'placeholder', 'text', 'role', 'name', '[', 'title', 'alt', 'id', '.', 'roles', 'tag'];
  const EASY = /^(text|label|placeholder|alt|title)$/;
  const startsLike = (way, tail, kind) => way.startsWith(tail) || (EASY.test(kind) && way.toLowerCase().startsWith(tail.toLowerCase()));

  const gather = (pool, want, end) => {
    const found = new Map();
    const compound = want.engine ? null : splitCompound(want.tail);
    let looked = 0;
    for (const el of pool) {
      if (++looked % 16 === 0 && now() > end) break;
      const forms = [...(compound ? cssForms(el, compound) : []), ...(want.c ? [] : engineForms(el, want))];
      for (const [kind, ways] of forms) {
        const fitting = ways.filter(way => startsLike(way, want.tail, kind));
        if (!fitting.length) continue;
        const key = kind + fitting[0];
        const known = found.get(key);
        if (known) known.n++;
        else found.set(key, { kind, ways: fitting, el, n: 1, at: found.size });
      }
    }
    return Array.from(found.values());
  };

  // A text that is a part of others finds those, too; in quotes it does not.
  const sparing = (one, tail) => {
    const [plain, ...others] = one.ways;
    if (!EASY.test(one.kind) || !others.length || plain[one.kind.length + 1] === '"' || one.n > 1) return plain;
    const m = { t: 'sub', v: normal(plain.slice(one.kind.length + 1)).toLowerCase() };
    const step = one.kind === 'text' || one.kind === 'label' ? { k: one.kind, m } : { k: 'attr', name: one.kind, m };
    return run([step]).els.length === 1 ? plain : others[0];
  };
  const shortly = ({ el, n }) => {
    const tag = el.localName + (el.nodeName === 'INPUT' && el.hasAttribute('type') ? ` type=${el.type}` : '');
    const isField = /^(INPUT|TEXTAREA|SELECT)$/.test(el.nodeName) && !/^(submit|button|reset)$/.test(el.type);
    let text = '';
    if (isField) text = labelsOf(el)[0] || el.getAttribute('placeholder') || el.getAttribute('name') || '';
    else if (!el.isContentEditable && el.childElementCount <= 5) text = normal(el.getAttribute('aria-label') || textOf(el));
    return cut(`${n > 1 ? n + ' \u00d7 ' : ''}<${tag}>${text ? ' ' + normal(text) : ''}`, 40);
  };

  // The most useful first: what can be seen, what is the only one, what can be operated.
  const choose = (found, want, end) => {
    const rank = one => ORDER.indexOf(one.kind) + (/\d{3}/.test(one.ways[0]) ? 3 : 0);
    let list = found.filter(one => one.kind !== '.' || one.n <= 50);
    if (want.tail === '') list = bestOfEach(list, rank);
    else list.sort((a, b) => (a.n > 1) - (b.n > 1) || rank(a) - rank(b) || a.at - b.at);
    const seen = [], unseen = [];
    for (const one of list) {
      if (seen.length >= want.limit || now() > end) break;
      (isVisible(one.el) ? seen : unseen).push(one);
    }
    return [...seen, ...unseen].slice(0, want.limit).map(one => [now() < end ? sparing(one, want.tail) : one.ways[0], shortly(one)]);
  };
  // Nothing is typed yet: one selector for each element that can be operated, then what leads to others.
  const bestOfEach = (list, rank) => {
    const best = new Map();
    for (const one of list) {
      const known = best.get(one.el);
      const worse = known && ((known.n > 1) - (one.n > 1) || rank(known) - rank(one)) <= 0;
      if (!worse) best.set(one.el, one);
    }
    const operated = one => one.el.matches(OFFERED) ? 0 : one.kind === 'tag' ? 2 : 1;
    return Array.from(best.values()).sort((a, b) => operated(a) - operated(b) || (a.n > 1) - (b.n > 1) || a.at - b.at);
  };

  R.suggest = (req, want, ...nodes) => until(req, nodes, sets => {
    const begin = now();
    let scopes = [document];
    if (req.steps.length) {
      const found = run(req.steps, sets);
      if (found.stop) return stopped(req, found);
      scopes = found.els;
      if (!want.c && scopes.length === 1 && isFrame(scopes[0])) {
        held.set(req.token, scopes[0]);
        return { t: 'frame', at: req.steps.length };
      }
    }
    const pool = poolOf(scopes, want.c);
    // A small page is looked at whole, however busy the machine is: its answers are the same each time.
    const boxed = pool.size > SMALL;
    const found = gather(pool, want, boxed ? begin + GATHER : Infinity);
    return { t: 'ok', value: choose(found, want, boxed ? now() + CHOOSE : Infinity) };
  });
