// `hb.tabs`: the tabs of a live browser in the manner of `chrome.tabs`, as far as they have a meaning here. Promises only, no callbacks.

const DONE_WITHIN = 10000;
const NOT_HERE = ["detectLanguage", "discard", "getZoomSettings", "group", "highlight", "move", "setZoom", "setZoomSettings", "ungroup"];
const SILENT = ["onHighlighted", "onMoved", "onReplaced", "onZoomChange"];

/** Events with listeners, as Chrome's extensions have them. */
function happening() {
  const listeners = new Set();
  return {
    addListener: (listener) => void listeners.add(listener),
    removeListener: (listener) => void listeners.delete(listener),
    hasListener: (listener) => listeners.has(listener),
    hasListeners: () => listeners.size > 0,
    tell(...given) {
      for (const listener of [...listeners]) {
        try {
          listener(...given);
        } catch (error) {
          console.error(error);
        }
      }
    },
  };
}

/** A tab as `chrome.tabs` has it. */
function shaped(tab, index) {
  return {
    id: tab.id,
    index,
    windowId: 1,
    active: tab.active,
    highlighted: tab.active,
    selected: tab.active,
    pinned: false,
    incognito: false,
    discarded: false,
    audible: false,
    autoDiscardable: false,
    groupId: -1,
    title: tab.title,
    url: tab.url,
    favIconUrl: tab.icon,
    status: tab.loading ? "loading" : "complete",
  };
}

/** Whether `url` fits a match pattern such as `https://*.example.com/*`. */
export function matches(pattern, url) {
  if (pattern === "<all_urls>") return /^https?:/.test(url);
  const escaped = (text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  const parts = /^(\*|[a-z][a-z0-9+.-]*):\/\/([^/]*)(\/.*)$/i.exec(pattern);
  if (!parts) return url === pattern;
  const [, scheme, host, path] = parts;
  const hosts = host === "*" ? "[^/]+" : host.startsWith("*.") ? `([^/]+\\.)?${escaped(host.slice(2))}` : escaped(host);
  return new RegExp(`^${scheme === "*" ? "https?" : escaped(scheme)}://${hosts}${escaped(path)}$`, "i").test(url);
}

/** Whether a tab has all that is asked for; what no tab here can be is compared with what `shaped` says. */
function fits(tab, info) {
  return Object.entries(info).every(([name, wanted]) => {
    if (wanted === undefined || ["currentWindow", "lastFocusedWindow", "windowId", "windowType"].includes(name)) return true;
    if (name === "url") return [wanted].flat().some((pattern) => matches(pattern, tab.url));
    if (name === "title") return new RegExp(`^${wanted.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(tab.title);
    return tab[name] === wanted;
  });
}

/** The tabs of one client: `call(type, fields)` sends, `state()` is what was last heard, `listen(name, act)` hears more. */
export function tabsOf({ call, state, listen }) {
  const events = { onCreated: happening(), onUpdated: happening(), onActivated: happening(), onRemoved: happening() };
  for (const name of SILENT) events[name] = happening();
  const all = (of = state()) => (of?.tabs ?? []).map(shaped);
  const find = (id) => all().find((tab) => tab.id === id);

  listen("state", (now, before) => {
    const old = new Map(all(before).map((tab) => [tab.id, tab]));
    for (const tab of all(now)) {
      const former = old.get(tab.id);
      old.delete(tab.id);
      if (!former) events.onCreated.tell(tab);
      const changes = {};
      for (const name of ["status", "title", "url", "favIconUrl"]) if (tab[name] !== former?.[name]) changes[name] = tab[name];
      if (Object.keys(changes).length) events.onUpdated.tell(tab.id, changes, tab);
      if (tab.active && !former?.active) events.onActivated.tell({ tabId: tab.id, windowId: 1 });
    }
    for (const id of old.keys()) events.onRemoved.tell(id, { windowId: 1, isWindowClosing: false });
  });

  /** Waits until `test` gives something for the tabs; what the server refuses ends it. */
  function until(test) {
    const found = test();
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const stops = [];
      const end = (act, value) => {
        for (const stop of stops) stop();
        act(value);
      };
      const timer = setTimeout(() => end(reject, new Error("the live browser did not do it in time")), DONE_WITHIN);
      stops.push(
        () => clearTimeout(timer),
        listen("state", () => {
          const now = test();
          if (now) end(resolve, now);
        }),
        listen("error", (told) => end(reject, new Error(told.message))),
      );
    });
  }

  function known(tabId) {
    const tab = tabId === undefined || tabId === null ? all().find((one) => one.active) : find(tabId);
    if (!tab) throw new Error(tabId === undefined ? "there is no tab" : `No tab with id: ${tabId}.`);
    return tab;
  }

  /** What is done to a tab is done to the one in front, so it is brought there first. */
  async function front(tabId) {
    const tab = known(tabId);
    if (tab.active) return tab;
    const brought = until(() => all().find((one) => one.id === tab.id && one.active));
    await Promise.all([call("tab_select", { id: tab.id }), brought]);
    return brought;
  }

  async function inFront(type, tabId) {
    await front(tabId);
    await call(type);
  }

  const methods = {
    ...events,
    query: async (info = {}) => all().filter((tab) => fits(tab, info)),
    get: async (tabId) => known(tabId),
    async create({ url, active = true } = {}) {
      const before = new Set(all().map((tab) => tab.id));
      const was = all().find((tab) => tab.active);
      const fresh = until(() => all().find((tab) => !before.has(tab.id)));
      await Promise.all([call("tab_new", url ? { url } : {}), fresh]);
      const made = await fresh;
      if (!active && was) await front(was.id).catch(() => {});
      return find(made.id) ?? made;
    },
    async update(tabId, changes) {
      const [id, wanted] = typeof tabId === "object" && tabId !== null ? [undefined, tabId] : [tabId, changes ?? {}];
      const tab = known(id);
      if (wanted.active || wanted.highlighted) await front(tab.id);
      // A tab that is in the background stays there unless it is asked for.
      if (wanted.url !== undefined) await call("navigate", { url: wanted.url, tab: tab.id });
      return wanted.url === undefined ? known(tab.id) : { ...known(tab.id), pendingUrl: wanted.url };
    },
    async remove(tabIds) {
      for (const id of [tabIds].flat()) {
        known(id);
        const gone = until(() => !find(id));
        await Promise.all([call("tab_close", { id }), gone]);
      }
    },
    async duplicate(tabId) {
      return methods.create({ url: known(tabId).url });
    },
    reload: (tabId) => inFront("reload", typeof tabId === "object" ? undefined : tabId),
    goBack: (tabId) => inFront("back", tabId),
    goForward: (tabId) => inFront("forward", tabId),
    getZoom: async () => 1,
  };
  for (const name of NOT_HERE) methods[name] = () => Promise.reject(new Error(`tabs.${name} is not supported here`));
  return methods;
}
