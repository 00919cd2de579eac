  // ---- the document as text ----------------------------------------------------------------------------------------

  const EMPTY = new Set(['area', 'base', 'br', 'col', 'embed', 'hr', 'img', 'input', 'link', 'meta', 'source', 'track', 'wbr']);
  const escaped = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/\u00a0/g, '&nbsp;');
  const inQuotes = text => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');
  const isData = el => el.nodeName === 'SCRIPT' && /^application\/ld\+json\b/i.test(el.type.trim());
  // Those are never shown, and yet are what the document says.
  const isMute = el => /^(html|head|title|meta|link)$/i.test(el.nodeName) || isData(el);

  // An address as the element itself understands it.
  const address = (el, name, value) => {
    const own = el[name];
    if (name === 'src' && el.nodeName === 'IMG') return el.currentSrc || own || value;
    return typeof own === 'string' && own ? own : value;
  };
  // The attributes as they are now, what a field holds among them; but nothing of what is for nobody's eyes.
  const attributes = (el, tag) => {
    let text = '';
    for (const { name, value } of el.attributes) {
      if (/^on|^style$|^nonce$|^srcset$/.test(name)) continue;
      if (tag === 'input' && /^(value|checked)$/.test(name)) continue;
      if ((tag === 'option' && name === 'selected') || name === 'hidden') continue;
      text += ` ${name}="${inQuotes(/^(href|src)$/.test(name) ? address(el, name, value) : value)}"`;
    }
    if (tag === 'input' && !isPassword(el) && el.type !== 'file') text += ` value="${inQuotes(el.value)}"`;
    if (tag === 'input' && el.checked) text += ' checked=""';
    if (tag === 'option' && el.selected) text += ' selected=""';
    if (tag === 'dialog' && !el.hasAttribute('open')) text += ' open=""';
    return text;
  };
  const frameDocument = el => { try { return el.contentDocument; } catch { return null; } };

  // What is inside an element for a reader: its shadow tree, what was put into a slot, the document of a frame.
  const inside = el => {
    const shadow = shadowOf(el);
    if (shadow) return [shadow];
    if (el.nodeName === 'SLOT') { const put = el.assignedNodes(); if (put.length) return put; }
    if (/^(IFRAME|FRAME)$/.test(el.nodeName)) { return frameDocument(el)?.body?.childNodes ?? []; }
    return el.childNodes;
  };

  // The element as HTML, as the page is now. What is not displayed is left out, or is there with `all`. No recursion: a script may
  // nest as deep as it likes.
  const htmlOf = (root, all) => {
    const out = [];
    const open = [root];
    while (open.length) {
      const node = open.pop();
      if (typeof node === 'string') { out.push(node); continue; }
      if (node.nodeType === Node.TEXT_NODE) { out.push(escaped(node.nodeValue)); continue; }
      const parts = [];
      let tag = '';
      if (node.nodeType === Node.ELEMENT_NODE) {
        tag = node.localName;
        if (/^(script|style|noscript|template|base)$/.test(tag) && !isData(node)) continue;
        if (!isMute(node)) {
          const style = getComputedStyle(node);
          if (!all && style.display === 'none') continue;
          // Its text is not seen, but something in it may be.
          if (!all && style.visibility !== 'visible') parts.unseen = true;
        }
        if (isData(node)) { out.push(`<script type="application/ld+json">${node.textContent.replace(/<\//g, '<\\/')}</script>`); continue; }
        const replaced = tag === 'iframe' || tag === 'frame' || tag === 'slot';
        const name = replaced ? 'div' : tag;
        if (tag === 'slot') tag = '';
        else {
          out.push(`<${name}${replaced ? '' : attributes(node, tag)}>`);
          if (EMPTY.has(tag)) continue;
          tag = name;
        }
        if (node.nodeName === 'TEXTAREA') { out.push(isPassword(node) ? '' : escaped(node.value), '</textarea>'); continue; }
        if (tag) open.push(`</${tag}>`);
        for (const one of inside(node)) parts.push(one);
      } else if (node.nodeType === Node.DOCUMENT_FRAGMENT_NODE) for (const one of node.childNodes) parts.push(one);
      for (let i = parts.length - 1; i >= 0; i--) if (!(parts.unseen && parts[i].nodeType === Node.TEXT_NODE)) open.push(parts[i]);
    }
    return out.join('');
  };

  // Of more than `most` only how much it is: what nobody takes is not sent.
  const answerWritten = (root, all, most) => {
    const html = root ? htmlOf(root, all) : '';
    return html.length > most ? { t: 'large', n: html.length } : { t: 'ok', value: { html, url: document.baseURI } };
  };
  R.written = (all, most) => answerWritten(document.documentElement, all, most ?? undefined);
  R.writtenOf = (req, all, ...nodes) => withElement(req, nodes, el => answerWritten(el, all));
