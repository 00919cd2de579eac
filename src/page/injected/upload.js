  // ---- files -------------------------------------------------------------------------------------------------------

  // The contents that have come for the action of that token, a list of pieces for each file; those of one before are let go.
  let contents = { token: '', files: [] };
  const bytesOf = text => Uint8Array.from(atob(text), char => char.charCodeAt(0));
  R.filePiece = (token, file, at, piece) => {
    if (contents.token !== token) contents = { token, files: [] };
    (contents.files[file] ??= [])[at] = bytesOf(piece);
    return { t: 'ok' };
  };

  // Why an element cannot take that many files, if it cannot.
  const noFileField = (field, count) => {
    if (field.nodeName !== 'INPUT' || field.type !== 'file') return never(field, 'is not an <input type=file>, nor the label of one');
    if (field.webkitdirectory) return never(field, 'takes a folder, which cannot be given');
    if (count > 1 && !field.multiple) return never(field, `takes one file, as it is not "multiple"; ${count} were given`);
    return null;
  };
  R.fileField = (req, count, ...nodes) => withElement(req, nodes, el => noFileField(controlOf(el), count) ?? { t: 'ok', what: preview(el) });
  R.setFiles = (req, files, ...nodes) => withElement(req, nodes, el => {
    const field = controlOf(el);
    const no = noFileField(field, files.length);
    if (no) return no;
    const has = contents.token === req.token ? contents.files : [];
    if (files.some(({ pieces }, at) => (has[at]?.length ?? 0) !== pieces)) return { t: 'again' };
    contents = { token: '', files: [] };
    const all = new DataTransfer();
    files.forEach(({ name, type }, at) => all.items.add(new File(has[at] ?? [], name, { type })));
    field.files = all.files;
    fire(field, 'input', 'change');
    return { t: 'ok', what: preview(el) };
  });
