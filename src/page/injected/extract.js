  // ---- extract -----------------------------------------------------------------------------------------------------

  // The plan is what extract.rs read from the script: {k:'value', field} | {k:'all', field} | {k:'map', fields: [[name, plan]]} |
  // {k:'rows', field, fields: [[name, plan]]}. Values come back raw with their kind; Rust converts them.
  class Missing extends Error {}

  const rawValue = (el, field) => {
    switch (field.attr) {
      case null: case undefined: return field.html ? el.innerHTML : readable(el);
      case '@text': return readable(el);
      case '@html': return el.innerHTML;
      case '@value': return el.value ?? el.getAttribute('value');
      default: return el.getAttribute(field.attr);
    }
  };
  // What a reader sees, line breaks as spaces; where nothing is rendered (a hidden row) what stands in the document.
  const readable = el => SILENT.has(el.nodeName) ? el.textContent : rawText(el);

  const within = (scope, field, sets) => {
    if (field.self) return scope === document ? [document.documentElement] : [scope];
    const found = run(field.steps, sets[field.id] || null, scope);
    if (found.stop === 'frame') throw bad('a step into a frame is not possible inside extract; extract from a locator in the frame');
    if (found.stop === 'role') throw Object.assign(new Error('role'), { role: [field.id, found.at] });
    return found.els;
  };

  const take = (scope, plan, sets, where) => {
    const { field } = plan;
    switch (plan.k) {
      case 'map': return plan.fields.map(([name, inner]) => take(scope, inner, sets, [...where, name]));
      case 'value': {
        const els = within(scope, field, sets);
        if (els.length > 1 && scope === document) throw Object.assign(new Error('many'), { many: many(els), field, where });
        const value = els.length ? rawValue(els[0], field) : null;
        if (value === null && !field.optional) throw Object.assign(new Missing(), { field, where, found: els.length ? preview(els[0]) : '' });
        return value === null ? null : [value, baseOf(els[0], field)];
      }
      case 'all': {
        let els = within(scope, field, sets);
        if (field.limit !== undefined && field.limit !== null) els = els.slice(0, field.limit);
        if (!els.length && !field.optional) throw Object.assign(new Missing(), { field, where, found: '' });
        return els.map((el, i) => {
          const value = rawValue(el, field);
          if (value === null && !field.optional) throw Object.assign(new Missing(), { field, where: [...where, i], found: preview(el) });
          return value === null ? null : [value, baseOf(el, field)];
        });
      }
      case 'rows': {
        let els = within(scope, field, sets);
        if (field.limit !== undefined && field.limit !== null) els = els.slice(0, field.limit);
        if (!els.length && !field.optional) throw Object.assign(new Missing(), { field, where, found: '' });
        return els.map((el, i) => plan.fields.map(([name, inner]) => take(el, inner, sets, [...where, i, name])));
      }
    }
    throw new Error(plan.k);
  };
  // Only where it is needed: the address of a data: page is the page.
  const baseOf = (el, field) => field.url ? el.baseURI : '';

  R.extract = (req, plan, ...nodes) => {
    const sets = {};
    let from = 0;
    for (const [id, step, n] of req.roles || []) {
      (sets[id] ||= {})[step] = nodes.slice(from, from + n);
      from += n;
    }
    return until(req, [], () => {
      try { return { t: 'ok', value: take(document, plan, sets, []) }; } catch (e) {
        if (e.role) return { t: 'role', id: e.role[0], at: e.role[1] };
        if (e.many) return { ...e.many, where: e.where, selector: e.field.source };
        if (e instanceof Missing) {
          // Inside a row nothing is expected to come any more once the row stands; outside it may still be on its way.
          return { t: 'wait', missing: true, where: e.where, selector: e.field.source, attr: e.field.attr ?? null, found: e.found };
        }
        throw e;
      }
    });
  };
