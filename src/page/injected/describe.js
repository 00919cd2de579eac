  // ---- telling people about elements -------------------------------------------------------------------------------

  // Never through a character: what is left of a secret has to be told from its beginning alone.
  const cut = (text, most) => text.length > most ? text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '') + '\u2026' : text;
  const TYPED_INTO = /^(INPUT|TEXTAREA)$/;

  // The opening tag and the beginning of the text. What was typed is nobody's business, least of all half of it.
  const preview = el => {
    const tag = el.nodeName.toLowerCase();
    let out = '<' + tag;
    for (const { name, value } of Array.from(el.attributes).slice(0, 8)) {
      if (name === 'style' || (name === 'value' && TYPED_INTO.test(el.nodeName))) continue;
      out += value === '' ? ` ${name}` : ` ${name}=${JSON.stringify(cut(value, 40))}`;
    }
    out += '>';
    const text = cut(textOf(el), 50);
    return cut(out, 160) + (text || el.firstElementChild ? (text || '\u2026') + `</${tag}>` : '');
  };

  const quoted = text => '"' + text.replace(/["\\]/g, '\\$&') + '"';
  const cssStep = css => [{ k: 'css', list: [{ plain: css, parts: cssParts(css) }] }];
  // Our own selectors are compounds with " > " between them and nothing of ours inside.
  const cssParts = css => css.split(' > ').map((part, i) => ({ c: i ? '>' : '', css: part }));

  // A selector that finds this element only.
  const unique = el => {
    const found = steps => { try { const { els } = run(steps); return els && els.length === 1 && els[0] === el; } catch { return false; } };
    const tag = el.nodeName.toLowerCase();
    if (el.id && !/\s/.test(el.id) && found(cssStep('#' + CSS.escape(el.id)))) return '#' + CSS.escape(el.id);
    const id = el.getAttribute('data-testid');
    if (id && found([{ k: 'attr', name: 'data-testid', m: { t: 'exact', v: id } }])) return `testid=${id}`;
    for (const label of labelsOf(el))
      if (label && label.length <= 60 && found([{ k: 'label', m: { t: 'exact', v: label } }])) return `label=${quoted(label)}`;
    const placeholder = el.getAttribute('placeholder');
    if (placeholder && found([{ k: 'attr', name: 'placeholder', m: { t: 'exact', v: placeholder } }])) return `placeholder=${quoted(placeholder)}`;
    const name = el.getAttribute('name');
    if (name && found(cssStep(`${tag}[name=${quoted(name)}]`))) return `${tag}[name=${quoted(name)}]`;
    const text = textOf(el);
    if (text && text.length <= 60 && found([{ k: 'text', m: { t: 'exact', v: text } }])) return `text=${quoted(text)}`;
    if (text && text.length <= 60) {
      const check = { c: '', css: tag, checks: [{ k: 'has-text', m: { t: 'sub', v: text.toLowerCase() } }] };
      if (found([{ k: 'css', list: [{ parts: [check] }] }])) return `${tag}:has-text(${quoted(text)})`;
    }
    return path(el, found);
  };

  const path = (el, found) => {
    let css = '';
    for (let node = el; node; node = up(node)) {
      const tag = node.nodeName.toLowerCase();
      let part = tag;
      if (node.id && !/\s/.test(node.id)) part = '#' + CSS.escape(node.id);
      else {
        const parent = node.parentNode;
        const same = parent?.children ? Array.from(parent.children).filter(other => other.nodeName === node.nodeName) : [];
        if (same.length > 1) part += `:nth-of-type(${same.indexOf(node) + 1})`;
        const first = Array.from(node.classList).find(one => /^[a-z][\w-]*$/i.test(one));
        if (same.length <= 1 && first) part += '.' + first;
      }
      css = css ? `${part} > ${css}` : part;
      if (found(cssStep(css))) return css;
    }
    return css;
  };

  const many = els => ({ t: 'many', n: els.length, list: els.slice(0, 10).map(el => [unique(el), preview(el)]) });

  // ---- what comes close --------------------------------------------------------------------------------------------

  const pairs = text => { const out = []; for (let i = 0; i < text.length - 1; i++) out.push(text.slice(i, i + 2)); return out; };
  const likeness = (a, b) => {
    a = a.toLowerCase(); b = b.toLowerCase();
    if (a === b) return 1;
    const x = pairs(a), y = pairs(b);
    if (!x.length || !y.length) return 0;
    const left = y.slice();
    let same = 0;
    for (const pair of x) { const i = left.indexOf(pair); if (i >= 0) { same++; left.splice(i, 1); } }
    return 2 * same / (x.length + y.length);
  };

  // Up to five elements whose id, class, name, label or text is like one of the words; `tag` breaks ties.
  R.closest = (words, tag) => {
    fresh();
    const scored = [];
    const all = Array.from(below(document)).slice(0, 5000);
    for (const el of all) {
      if (SILENT.has(el.nodeName) || /^(HTML|BODY|META|LINK|TITLE|BR)$/.test(el.nodeName)) continue;
      const features = [el.id, ...el.classList, el.getAttribute('name'), el.getAttribute('data-testid'), el.getAttribute('placeholder'),
        el.getAttribute('aria-label'), el.getAttribute('title'), el.getAttribute('alt')];
      const own = ownRuns(el).join(' ');
      if (own && own.length <= 80) features.push(own);
      else if (el.nodeName === 'BUTTON' || el.nodeName === 'A') features.push(cut(textOf(el), 80));
      if (el.labels) for (const label of el.labels) features.push(textOf(label));
      let best = 0;
      for (const word of words) for (const feature of features) if (feature) best = Math.max(best, likeness(word, feature));
      if (best < 0.45) continue;
      scored.push([best + (tag && el.nodeName.toLowerCase() === tag ? 0.1 : 0) + (isVisible(el) ? 0.05 : 0), el]);
    }
    scored.sort((a, b) => b[0] - a[0]);
    return scored.slice(0, 5).map(([, el]) => [unique(el), preview(el)]);
  };
