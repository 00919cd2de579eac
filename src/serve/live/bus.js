// What the parts of the page know in common, and how they hear of each other: messages of the server come under their
// own names, what happens here under names that begin with "local:".

const listeners = new Map();

/** Calls `listener` for everything of that name. */
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}

/** Tells everybody; one part that fails does not keep the others from hearing. */
export function emit(name, detail = {}) {
  for (const listener of listeners.get(name) ?? []) {
    try {
      listener(detail);
    } catch (error) {
      console.error(error);
    }
  }
}

/** The browser as this page last heard of it. */
export const state = {
  viewer: null,
  role: null,
  width: 1280,
  height: 720,
  /** Whether this page may steer just now. */
  steering: false,
  holder: null,
  viewers: 1,
  tabs: [],
  bookmarked: null,
  /** Whether there is a profile for bookmarks. */
  keeps: true,
  /** connecting, playing, reconnecting or closed. */
  link: "connecting",
};

/** The tab that is in front. */
export const activeTab = () => state.tabs.find((tab) => tab.active) ?? null;

/** Whether this page could take control, by its token. */
export const maySteer = () => state.role !== null && !/view/i.test(state.role);

/** Sends a message to the server; page.js puts the connection here. */
export const link = { send: () => false, retry() {}, close() {}, unsent: () => 0 };

export const send = (type, fields = {}) => link.send(type, fields);

/** The icons of tabs: told by themselves, as they are much more than all else that is told of a tab. */
const icons = new Map();

on("hello", (message) => {
  icons.clear();
  state.viewer = message.viewer;
  state.role = message.role;
  state.width = message.width;
  state.height = message.height;
  state.keeps = message.keeps_nothing !== true;
});
on("tabs", (message) => {
  for (const id of [...icons.keys()]) if (!message.tabs.some((tab) => tab.id === id)) icons.delete(id);
  state.tabs = message.tabs.map((tab) => ({ ...tab, icon: icons.get(tab.id) }));
});
on("icon", (message) => {
  if (message.icon) icons.set(message.tab, message.icon);
  else icons.delete(message.tab);
  state.tabs = state.tabs.map((tab) => (tab.id === message.tab ? { ...tab, icon: icons.get(tab.id) } : tab));
});
on("control", (message) => {
  // It can change at any time: by the embedding page's calls, for one.
  state.role = message.role ?? state.role;
  state.steering = message.yours === true;
  state.holder = message.holder ?? null;
  state.viewers = Array.isArray(message.viewers) ? message.viewers.length : Number(message.viewers ?? 1);
  emit("local:steering", state.steering);
});
on("bookmarked", (message) => {
  state.bookmarked = message;
});
