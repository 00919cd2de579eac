  // ---- the composed tree -------------------------------------------------------------------------------------------

  const shadowOf = el => el.shadowRoot || (useClosed && closed.get(el)) || null;
  const up = node => {
    const parent = node.parentNode;
    if (!parent) return null;
    if (parent.nodeType === Node.ELEMENT_NODE) return parent;
    return parent.nodeType === Node.DOCUMENT_FRAGMENT_NODE && parent.host ? parent.host : null;
  };
  const contains = (scope, el) => {
    for (let node = el; node; node = up(node)) if (node === scope) return true;
    return false;
  };

  // What is true only while one call runs.
  let shadows = null;
  let texts = new Map();
  let rawTexts = new Map();
  const fresh = () => { shadows = null; texts = new Map(); rawTexts = new Map(); };

  const anyShadow = () => {
    if (shadows === null) {
      shadows = false;
      for (const el of document.querySelectorAll('*')) if (shadowOf(el)) { shadows = true; break; }
    }
    return shadows;
  };

  // All elements below `root`, those in shadow roots included, in the order of the composed tree.
  const below = root => {
    const host = root.nodeType === Node.ELEMENT_NODE ? root : null;
    if (!anyShadow()) return root.querySelectorAll('*');
    const out = [];
    const visit = parent => {
      for (let el = parent.firstElementChild; el; el = el.nextElementSibling) {
        out.push(el);
        const shadow = shadowOf(el);
        if (shadow) visit(shadow);
        visit(el);
      }
    };
    const shadow = host && shadowOf(host);
    if (shadow) visit(shadow);
    visit(root);
    return out;
  };

  // ---- text --------------------------------------------------------------------------------------------------------

  const normal = text => text.replace(/[\u200b\u00ad]/g, '').replace(/\s+/g, ' ').trim();
  const SILENT = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'HEAD', 'TEMPLATE']);

  // The text of an element as a reader of the page would put it together, white space normalised.
  const textOf = el => {
    let known = texts.get(el);
    if (known === undefined) {
      known = normal(rawText(el));
      texts.set(el, known);
    }
    return known;
  };
  const rawText = root => {
    if (SILENT.has(root.nodeName)) return '';
    if (root.nodeName === 'INPUT') return /^(submit|button|reset)$/.test(root.type) ? root.value : '';
    const shadow = shadowOf(root);
    if (!shadow && !root.firstElementChild) return root.textContent;
    let text = '';
    for (const from of shadow ? [shadow, root] : [root])
      for (let node = from.firstChild; node; node = node.nextSibling) {
        if (node.nodeType === Node.TEXT_NODE) text += node.nodeValue;
        else if (node.nodeType === Node.ELEMENT_NODE) text += raws(node);
      }
    return text;
  };
  // Kept per call, so that a deep tree is put together once and not once per level.
  const raws = el => {
    let known = rawTexts.get(el);
    if (known === undefined) {
      known = rawText(el);
      rawTexts.set(el, known);
    }
    return known;
  };

  // Text runs that stand directly in an element, for exact comparison.
  const ownRuns = el => {
    const runs = [];
    let run = '';
    for (let node = el.firstChild; node; node = node.nextSibling) {
      if (node.nodeType === Node.TEXT_NODE) run += node.nodeValue;
      else if (node.nodeType === Node.ELEMENT_NODE) { if (run) runs.push(normal(run)); run = ''; }
    }
    if (run) runs.push(normal(run));
    return runs;
  };

  const bad = why => Object.assign(new Error(why), { bad: why });
  const tester = m => {
    if (m.t === 'sub') return text => text.toLowerCase().includes(m.v);
    if (m.t === 'exact') return text => text === m.v;
    let re;
    try { re = new RegExp(m.v, m.f); } catch (e) { throw bad(`not a regular expression: ${e.message}`); }
    return text => re.test(text);
  };

  // ---- visibility --------------------------------------------------------------------------------------------------

  const visibleBox = el => {
    const style = getComputedStyle(el);
    if (style.display === 'contents') {
      for (let node = el.firstChild; node; node = node.nextSibling) {
        if (node.nodeType === Node.ELEMENT_NODE && isVisible(node)) return true;
        if (node.nodeType === Node.TEXT_NODE && node.nodeValue.trim()) {
          const range = document.createRange();
          range.selectNode(node);
          const box = range.getBoundingClientRect();
          if (box.width > 0 && box.height > 0) return true;
        }
      }
      return false;
    }
    const box = el.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  };
  const isVisible = el => {
    if (!el.isConnected) return false;
    if (el.nodeName === 'OPTION' || el.nodeName === 'OPTGROUP') {
      const select = el.closest('select');
      if (select) return isVisible(select);
    }
    const display = getComputedStyle(el).display;
    if (display !== 'contents' && !el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: false })) return false;
    if (display === 'contents' && getComputedStyle(el).visibility !== 'visible') return false;
    return visibleBox(el);
  };
