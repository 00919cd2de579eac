// Bookmarks and passwords, by the interfaces that only Chromium's own pages have. Each answers in words that hold nothing of what it was given.
({
  ready: ({ passwords }) => typeof (passwords ? globalThis.chrome?.passwordsPrivate?.addPassword : globalThis.chrome?.bookmarks?.create) === 'function',

  // The bar is what people see, so that is where it goes.
  bookmark: async ({ title, url }) => {
    const known = (await chrome.bookmarks.search({ url })).filter(node => node.url === url);
    if (known.length === 0) await chrome.bookmarks.create({ parentId: '1', title, url });
  },

  noBookmark: async ({ url }) => {
    const known = (await chrome.bookmarks.search({ url })).filter(node => node.url === url);
    for (const node of known) await chrome.bookmarks.remove(node.id);
  },

  // One that is kept of that site and user is changed: Chromium adds none beside it.
  password: async ({ origin, username, password }) => {
    const api = chrome.passwordsPrivate;
    const find = async () => (await api.getSavedPasswordList()).find(entry =>
      entry.username === username && !entry.isPasskey && entry.affiliatedDomains?.some(domain => domain.signonRealm === `${origin}/`));
    const change = known => api.changeCredential({ ...known, password, note: known.note ?? '' });
    const known = await find();
    if (known) return void (await change(known));
    try {
      await api.addPassword({ url: `${origin}/`, username, password, note: '', useAccountStore: false });
    } catch (error) {
      // What there was is read in the background when Chromium starts.
      const late = await find();
      if (!late) throw error;
      await change(late);
    }
  },
})
