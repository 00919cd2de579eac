  // ---- selectors ---------------------------------------------------------------------------------------------------

  const matchesCss = (el, css) => {
    try { return el.matches(css); } catch { throw bad(`${JSON.stringify(css)} is not valid CSS`); }
  };

  const passes = (el, check) => {
    switch (check.k) {
      case 'visible': return isVisible(el);
      case 'has-text': return (check.test ||= tester(check.m))(textOf(el));
      case 'text': return (check.test ||= tester(check.m))(textOf(el)) && smallest(el, check.test);
      case 'not': return !check.list.some(complex => matches(el, complex, null));
      case 'is': return check.list.some(complex => matches(el, complex, null));
      case 'has': return check.list.some(complex => {
        const beside = complex.parts[0].scope && /[+~]/.test(complex.parts[1]?.c ?? '');
        const where = beside ? up(el) : el;
        if (!where) return false;
        for (const one of below(where)) if (one !== el && matches(one, complex, el) && (beside || contains(el, one))) return true;
        return false;
      });
    }
    throw bad(`unknown check ${check.k}`);
  };

  const fits = (el, part, scope) => {
    if (part.scope && el !== (scope && scope.nodeType === Node.ELEMENT_NODE ? scope : document.documentElement)) return false;
    if (part.css && !matchesCss(el, part.css)) return false;
    return !part.checks || part.checks.every(check => passes(el, check));
  };

  const matches = (el, complex, scope, i = complex.parts.length - 1) => {
    const part = complex.parts[i];
    if (!fits(el, part, scope)) return false;
    if (i === 0) return true;
    switch (part.c) {
      case '>': { const parent = up(el); return !!parent && matches(parent, complex, scope, i - 1); }
      case '+': { const before = el.previousElementSibling; return !!before && matches(before, complex, scope, i - 1); }
      case '~':
        for (let before = el.previousElementSibling; before; before = before.previousElementSibling)
          if (matches(before, complex, scope, i - 1)) return true;
        return false;
      default:
        for (let above = up(el); above; above = up(above)) if (matches(above, complex, scope, i - 1)) return true;
        return false;
    }
  };

  const byCss = (scope, list) => {
    if (!anyShadow() && list.every(complex => complex.plain)) {
      const css = list.map(complex => complex.plain).join(',');
      try { return Array.from(scope.querySelectorAll(css)); } catch { throw bad(`${JSON.stringify(css)} is not valid CSS`); }
    }
    // The browser judges the whole, also where only parts of it are matched; an empty document would hide a mistake.
    for (const complex of list) for (const part of complex.parts) if (part.css) matchesCss(document.documentElement, part.css);
    return Array.from(below(scope)).filter(el => list.some(complex => matches(el, complex, scope)));
  };

  const smallest = (el, test) => {
    const shadow = shadowOf(el);
    for (const from of shadow ? [shadow, el] : [el])
      for (let child = from.firstElementChild; child; child = child.nextElementSibling)
        if (!SILENT.has(child.nodeName) && test(textOf(child))) return false;
    return true;
  };

  const byText = (scope, m) => {
    const test = tester(m);
    const out = [];
    for (const el of below(scope)) {
      if (SILENT.has(el.nodeName) || el.nodeName === 'HTML') continue;
      // A quoted text may also be one run among others (`<p>Total <b>5</b></p>` for "Total").
      if (m.t === 'exact' ? (ownRuns(el).some(test) || (test(textOf(el)) && smallest(el, test))) : (test(textOf(el)) && smallest(el, test))) out.push(el);
    }
    return out;
  };

  // The texts that label an element: `<label>`s, `aria-labelledby`, `aria-label`.
  const labelsOf = el => {
    const out = [];
    const by = el.getAttribute('aria-labelledby');
    if (by) {
      const root = el.getRootNode();
      const parts = by.split(/\s+/).map(id => root.getElementById?.(id)).filter(Boolean);
      if (parts.length) out.push(normal(parts.map(textOf).join(' ')));
    }
    const label = el.getAttribute('aria-label');
    if (label) out.push(normal(label));
    if (el.labels) for (const one of el.labels) out.push(textOf(one));
    return out;
  };
  const byLabel = (scope, m) => {
    const test = tester(m);
    const out = [];
    for (const el of below(scope)) {
      if (!(el.labels?.length || el.hasAttribute('aria-label') || el.hasAttribute('aria-labelledby'))) continue;
      if (labelsOf(el).some(test)) out.push(el);
    }
    return out;
  };

  const byAttr = (scope, name, m) => {
    const test = tester(m);
    return Array.from(below(scope)).filter(el => el.hasAttribute(name) && test(m.t === 'exact' ? el.getAttribute(name) : normal(el.getAttribute(name))));
  };

  const byXpath = (scope, x) => {
    const expression = x.startsWith('/') && scope !== document ? '.' + x : x;
    let found;
    try {
      found = document.evaluate(expression, scope, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
    } catch (e) { throw bad(`not a valid XPath expression: ${x}`); }
    const out = [];
    for (let i = 0; i < found.snapshotLength; i++) if (found.snapshotItem(i).nodeType === Node.ELEMENT_NODE) out.push(found.snapshotItem(i));
    return out;
  };

  const isFrame = el => el.nodeName === 'IFRAME' || el.nodeName === 'FRAME';
  const FILTERS = new Set(['nth', 'visible']);

  // Runs the steps. Answers {els}, or where it cannot go on alone: {stop: 'frame' | 'role', at, els}.
  const run = (steps, sets, root = document, first = 0) => {
    let scopes = [root];
    for (let at = first; at < steps.length; at++) {
      const step = steps[at];
      if (at > first && !FILTERS.has(step.k) && scopes.length && scopes.every(isFrame)) return { stop: 'frame', at, els: scopes };
      if (step.k === 'nth') {
        const picked = at === first ? undefined : scopes.at(step.n);
        scopes = picked ? [picked] : [];
        continue;
      }
      if (step.k === 'visible') { scopes = scopes.filter(el => el !== document && isVisible(el) === step.v); continue; }
      if (step.k === 'role') {
        const set = sets?.[at];
        if (!set) return { stop: 'role', at, els: scopes };
        scopes = set.filter(el => el.isConnected && scopes.some(scope => scope === document || (scope !== el && contains(scope, el))));
        continue;
      }
      const found = new Set();
      for (const scope of scopes) for (const el of one(step, scope)) found.add(el);
      scopes = Array.from(found);
    }
    return { els: scopes[0] === document ? [] : scopes };
  };
  const one = (step, scope) => {
    switch (step.k) {
      case 'css': return byCss(scope, step.list);
      case 'text': return byText(scope, step.m);
      case 'label': return byLabel(scope, step.m);
      case 'attr': return byAttr(scope, step.name, step.m);
      case 'xpath': return byXpath(scope, step.x);
    }
    throw bad(`unknown engine ${step.k}`);
  };
