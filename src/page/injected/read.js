  // ---- reading -----------------------------------------------------------------------------------------------------

  R.read = (req, what, name, ...nodes) => withElement(req, nodes, el => {
    switch (what) {
      case 'text_content': return { t: 'ok', value: el.textContent ?? '' };
      case 'inner_text':
        return el.innerText === undefined ? never(el, 'is not an HTML element') : { t: 'ok', value: el.innerText };
      case 'attribute': return { t: 'ok', value: el.getAttribute(name) };
      case 'input_value': {
        const field = controlOf(el);
        if (!field.matches('input,textarea,select')) return never(el, 'is not an <input>, <textarea> or <select>');
        return { t: 'ok', value: field.value };
      }
      case 'is_password': return { t: 'ok', value: isPassword(controlOf(el)) };
    }
    throw new Error(what);
  });

  // Whether what is typed into it is for nobody's eyes, by its type, by its purpose, or because it is shown as dots.
  const isPassword = field => field.matches('input[type=password],[autocomplete*=password i]') || (getComputedStyle(field).webkitTextSecurity ?? 'none') !== 'none';

  // Keeps the one match for Rust to ask after.
  R.hold = (req, ...nodes) => withElement(req, nodes, el => { held.set(req.token, el); return { t: 'ok' }; });

  // How many match now.
  R.count = (req, ...nodes) => until(req, nodes, sets => {
    const found = run(req.steps, sets);
    if (found.stop) return stopped(req, found);
    return { t: 'ok', value: found.els.length };
  });
  R.visible = (req, ...nodes) => until(req, nodes, sets => {
    const found = single(req, sets);
    if (found.el) return { t: 'ok', value: isVisible(found.el) };
    return found.t === 'none' ? { t: 'ok', value: false } : found;
  });

  // Waits for a state of whatever matches. Not strict where nothing is to be there.
  R.state = (req, wanted, ...nodes) => until(req, nodes, sets => {
    const found = run(req.steps, sets);
    if (found.stop) return stopped(req, found);
    const { els } = found;
    if (wanted === 'detached') return els.length ? { t: 'wait', why: 'element is still there', what: preview(els[0]) } : { t: 'ok' };
    if (wanted === 'hidden') {
      const seen = els.find(isVisible);
      return seen ? { t: 'wait', why: 'element is still visible', what: preview(seen) } : { t: 'ok' };
    }
    if (els.length > 1) return many(els);
    if (!els.length) return { t: 'none' };
    if (wanted === 'visible' && !isVisible(els[0])) return { t: 'wait', why: 'element is not visible', what: preview(els[0]) };
    return { t: 'ok', what: preview(els[0]) };
  });

  // Of more than `most` only how much it is: what nobody takes is not sent.
  R.content = most => {
    const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) : '';
    const value = doctype + (document.documentElement?.outerHTML ?? '');
    return value.length > most ? { t: 'large', n: value.length } : { t: 'ok', value };
  };
  R.title = () => ({ t: 'ok', value: document.title });

  // For pictures: boxes in page coordinates; in a frame in those of its viewport, to which Rust adds where the frame lies.
  const inPage = box => framed() ? box : [box[0] + scrollX, box[1] + scrollY, box[2], box[3]];
  R.pageBox = (req, ...nodes) => withElement(req, nodes, el => {
    const before = boxOf(el);
    if (before[1] < 0 || before[0] < 0 || before[1] + before[3] > innerHeight || before[0] + before[2] > innerWidth)
      el.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    return { t: 'ok', value: inPage(boxOf(el)) };
  });
  // What a frame does not show needs no cover, and one would lie over the page around it.
  const shown = ([x, y, width, height]) => {
    const left = Math.max(x, 0), top = Math.max(y, 0);
    return [left, top, Math.min(x + width, innerWidth) - left, Math.min(y + height, innerHeight) - top];
  };
  R.boxes = (req, ...nodes) => until(req, nodes, sets => {
    const found = run(req.steps, sets);
    if (found.stop) return stopped(req, found);
    let boxes = found.els.filter(isVisible).map(el => inPage(boxOf(el)));
    if (framed()) boxes = boxes.map(shown).filter(box => box[2] > 0 && box[3] > 0);
    return { t: 'ok', value: boxes };
  });
  R.mask = boxes => {
    const cover = document.createElement('div');
    cover.style.cssText = 'all:initial;position:absolute;left:0;top:0;width:0;height:0;z-index:2147483647;pointer-events:none';
    for (const [x, y, width, height] of boxes) {
      const one = document.createElement('div');
      one.style.cssText = `all:initial;position:absolute;left:${x}px;top:${y}px;width:${width}px;height:${height}px;background:#f0f`;
      cover.append(one);
    }
    document.documentElement.append(cover);
    held.get('mask')?.remove();
    held.set('mask', cover);
    return { t: 'ok' };
  };
  // What has been changed is on the screen when two frames have begun: a picture may be of the one before.
  R.drawn = async () => { await frame(); await frame(); return { t: 'ok' }; };
  R.unmask = () => { held.get('mask')?.remove(); held.delete('mask'); return { t: 'ok' }; };
