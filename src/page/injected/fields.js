  // ---- fields ------------------------------------------------------------------------------------------------------

  const fire = (el, ...kinds) => {
    for (const kind of kinds)
      el.dispatchEvent(kind === 'input' ? new InputEvent('input', { bubbles: true, composed: true }) : new Event(kind, { bubbles: true }));
  };
  const BY_VALUE = new Set(['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range']);
  const NOT_FILLED = new Set(['button', 'submit', 'reset', 'image', 'checkbox', 'radio', 'file', 'hidden']);
  const setValue = (el, value) => {
    const proto = el.nodeName === 'TEXTAREA' ? HTMLTextAreaElement.prototype : HTMLInputElement.prototype;
    Object.getOwnPropertyDescriptor(proto, 'value').set.call(el, value);
  };
  const never = (el, why) => ({ t: 'never', why, what: preview(el) });

  const focusOn = el => {
    const root = el.getRootNode();
    if (root.activeElement === el) return false;
    el.focus({ preventScroll: false });
    return true;
  };

  // Replaces the value in one input event, as a paste over everything would.
  const fillIn = (el, value) => {
    const field = controlOf(el);
    if (field.nodeName === 'SELECT') return never(field, 'is a <select>; use select_option');
    if (field.nodeName === 'INPUT') {
      if (NOT_FILLED.has(field.type))
        return never(field, `is an input of type "${field.type}", which takes no text` + (/checkbox|radio/.test(field.type) ? '; use check' : ''));
      if (field.type === 'number' && value.trim() !== '' && isNaN(Number(value))) return never(field, 'is a number field and the value is not a number');
      if (BY_VALUE.has(field.type)) {
        const wanted = field.type === 'color' ? value.trim().toLowerCase() : value.trim();
        focusOn(field);
        setValue(field, wanted);
        // The browser empties or clamps what it cannot take.
        if (field.value !== wanted && !(field.type !== 'color' && field.type !== 'range' && field.value && field.value.startsWith(wanted)))
          return never(field, `did not take the value; an input of type "${field.type}" wants ${EXAMPLE[field.type]}`);
        fire(field, 'input', 'change');
        return { t: 'ok', what: preview(el) };
      }
    }
    focusOn(field);
    if (field.isContentEditable && field.nodeName !== 'TEXTAREA' && field.nodeName !== 'INPUT') {
      const range = document.createRange();
      range.selectNodeContents(field);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      if (value.includes('\n')) return { t: 'insert', what: preview(el) };
      if (value) document.execCommand('insertText', false, value);
      else if (field.textContent) document.execCommand('delete');
      return { t: 'ok', what: preview(el) };
    }
    const before = field.value;
    field.select();
    // An edit by command is a trusted input event and can be undone; it needs the focus, which a handler may have moved,
    // and would put several lines in one by one, each with an event.
    const done = !value.includes('\n') && field.getRootNode().activeElement === field && (value ? document.execCommand('insertText', false, value) : before === '' || document.execCommand('delete'));
    if (!done) { setValue(field, value); fire(field, 'input'); }
    return { t: 'ok', what: preview(el) };
  };
  const EXAMPLE = { date: '"2026-12-31"', time: '"23:59"', 'datetime-local': '"2026-12-31T23:59"', month: '"2026-12"', week: '"2026-W52"', color: '"#00ff00"', range: 'a number in its range' };

  const withElement = (req, nodes, act) => until(req, nodes, sets => {
    const { el, ...answer } = single(req, sets);
    if (!el) return answer;
    if (!req.force) { const no = checks(el, req.needs); if (no) return no; }
    if (req.trial) return { t: 'ok', what: preview(el) };
    return act(el);
  });

  R.fill = (req, value, ...nodes) => withElement(req, nodes, el => fillIn(el, value));

  // For the keyboard: focus, and where the focus is new the caret goes to the end.
  R.focus = (req, toEnd, ...nodes) => withElement(req, nodes, el => {
    const field = controlOf(el);
    const moved = focusOn(field);
    if (toEnd && moved) {
      if (field.matches('input,textarea')) {
        try { field.setSelectionRange(field.value.length, field.value.length); } catch { /* number, e-mail ... have no range; their caret is at the end */ }
      } else if (field.isContentEditable) {
        const selection = getSelection();
        selection.selectAllChildren(field);
        selection.collapseToEnd();
      }
    }
    return { t: 'ok', what: preview(el) };
  });

  const CHECKABLE = /^(checkbox|radio|switch|menuitemcheckbox|menuitemradio|option|treeitem)$/;
  const checkedState = el => {
    const control = controlOf(el);
    if (control.nodeName === 'INPUT' && /^(checkbox|radio)$/.test(control.type)) return control.indeterminate ? null : control.checked;
    if (CHECKABLE.test(control.getAttribute('role') || '')) return control.getAttribute('aria-checked') === 'true' || control.getAttribute('aria-selected') === 'true';
    return undefined;
  };
  R.checked = (req, wanted, ...nodes) => withElement(req, nodes, el => {
    const state = checkedState(el);
    if (state === undefined) return never(el, 'is not a checkbox, radio button or switch');
    if (!wanted && controlOf(el).type === 'radio' && state) return never(el, 'is a radio button, which cannot be unchecked; check another one of its group');
    return { t: 'ok', value: state, what: preview(el) };
  });

  R.select = (req, by, ...nodes) => withElement(req, nodes, el => {
    const select = controlOf(el);
    if (select.nodeName !== 'SELECT') return never(select, 'is not a <select>');
    const options = Array.from(select.options);
    const picked = [];
    for (const want of by) {
      const label = option => normal(option.label || option.text);
      let found;
      if ('index' in want) found = options[want.index];
      else if ('value' in want) found = options.find(option => option.value === want.value);
      else if ('label' in want) found = options.find(option => label(option) === normal(want.label));
      else found = options.find(option => option.value === want.any) ?? options.find(option => label(option) === normal(want.any));
      if (!found) {
        const there = options.slice(0, 10).map(option => JSON.stringify(label(option)) + (option.value !== label(option) ? ` (value ${JSON.stringify(option.value)})` : ''));
        return { t: 'wait', why: `it has no option ${JSON.stringify(want.any ?? want.value ?? want.label ?? want.index)}, but ${there.join(', ') || 'none'}`, what: preview(select) };
      }
      if (found.disabled || found.closest('optgroup:disabled')) return { t: 'wait', why: `option ${JSON.stringify(label(found))} is disabled`, what: preview(select) };
      picked.push(found);
      if (!select.multiple) break;
    }
    focusOn(select);
    if (select.multiple) for (const option of options) option.selected = picked.includes(option);
    else if (picked.length) picked[0].selected = true;
    else select.selectedIndex = -1;
    fire(select, 'input', 'change');
    return { t: 'ok', value: Array.from(select.selectedOptions, option => option.value), what: preview(select) };
  });
