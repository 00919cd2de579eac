// The panels that hang from the toolbar: what does not fit into it, and the downloads.

import { button, by, element, say, size } from "./dom.js";
import { maySteer, on, send, state } from "./bus.js";
import { matchesRoom, setMatch } from "./frames.js";
import { help } from "./dialogs.js";

let shown = null;

/** Opens or closes a panel with its button. */
function toggle(opener, panel, fill) {
  if (shown?.panel === panel) {
    close();
    return;
  }
  close();
  fill?.();
  panel.hidden = false;
  opener.setAttribute("aria-expanded", "true");
  shown = { opener, panel };
  const under = by("bar").getBoundingClientRect().bottom;
  panel.style.top = `${under + 4}px`;
  // Not one that the style sheet hides: it cannot have the focus, and the keys would stay outside.
  [...panel.querySelectorAll("button:not(:disabled), a[href]")].find((one) => one.offsetParent)?.focus();
}

function close(refocus = false) {
  if (!shown) return;
  shown.panel.hidden = true;
  shown.opener.setAttribute("aria-expanded", "false");
  if (refocus) shown.opener.focus();
  shown = null;
}

/** The entries; those whose buttons the toolbar has no room for are shown by the style sheet on narrow pages only. */
function entries() {
  const entry = (words, act, given = {}) => button(words, () => (close(), act()), { ...given, class: `entry ${given.class ?? ""}` });
  const press = (id) => () => by(id).click();
  const twin = (id, words) => entry(words, press(id), { class: "narrow", disabled: by(id).disabled });
  // A page with little height shows no strip of tabs.
  const tabs = by("tabs").offsetParent ? [] : state.tabs.map((tab) => entry(tab.title || tab.url, () => send("tab_select", { id: tab.id }), { "aria-current": String(tab.active) }));
  if (tabs.length) tabs.push(entry("New tab", press("tab-new"), { disabled: by("tab-new").disabled }));
  const list = [
    ...tabs,
    twin("forward", "Forward"),
    twin("star", by("star").title),
    twin("control", state.steering ? "Release control" : "Take control"),
  ];
  if (maySteer()) {
    const match = entry("Fit the remote page to this window", () => setMatch(!matchesRoom()), { "aria-pressed": String(matchesRoom()) });
    list.push(match);
  }
  if (document.fullscreenEnabled) {
    list.push(entry(document.fullscreenElement ? "Leave full screen" : "Full screen", full));
  }
  list.push(entry("Keyboard help", help));
  return list;
}

async function full() {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  await document.documentElement.requestFullscreen();
  // With this, keys that the local browser keeps otherwise (Ctrl+W, Alt+Tab, ...) go to the remote page too.
  await navigator.keyboard?.lock?.().catch(() => {});
}

const downloads = new Map();

function downloaded(message) {
  const first = !downloads.has(message.id);
  downloads.set(message.id, message);
  const opener = by("downloads");
  opener.hidden = false;
  const running = [...downloads.values()].filter((one) => one.state === "started" || one.state === "progress").length;
  opener.querySelector(".count").textContent = String(running || downloads.size);
  const words = running ? `Downloads, ${running} under way` : `Downloads, ${downloads.size}`;
  opener.setAttribute("aria-label", words);
  opener.title = words;
  if (first) say(`Download of ${message.name} has begun.`);
  if (message.state === "completed") say(`${message.name} is downloaded.`);
  drawDownload(message);
}

function drawDownload(message) {
  const list = by("download-panel").querySelector("ul");
  const id = `download-${message.id}`;
  const item = element("li", { id }, element("span", { class: "name" }, message.name), ...standing(message));
  const former = by(id);
  if (former) former.replaceWith(item);
  else list.prepend(item);
}

function standing(message) {
  const note = (words) => element("span", { class: "note" }, words);
  if (message.state === "canceled") return [note("Not finished")];
  if (message.state === "completed") {
    const link = address(message.href);
    if (!link) return [note(size(message.received))];
    return [note(size(message.received)), element("a", { href: link, download: message.name, class: "get" }, "Save", element("span", { class: "unseen" }, ` ${message.name}`))];
  }
  const bar = element("progress", { "aria-label": `Download of ${message.name}` });
  if (message.total) {
    bar.max = message.total;
    bar.value = Math.min(message.received, message.total);
  }
  const of = message.total ? ` of ${size(message.total)}` : "";
  return [bar, note(`${size(message.received)}${of}`)];
}

/** Only what this server itself offers is a link here. */
function address(href) {
  try {
    const whole = new URL(href, location.href);
    return whole.origin === location.origin ? whole.href : null;
  } catch {
    return null;
  }
}

/** Begins to listen. */
export function start() {
  by("menu").addEventListener("click", () => toggle(by("menu"), by("menu-panel"), () => by("menu-panel").replaceChildren(...entries())));
  by("downloads").addEventListener("click", () => toggle(by("downloads"), by("download-panel")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shown) close(true);
  });
  document.addEventListener("pointerdown", (event) => {
    if (shown && !shown.panel.contains(event.target) && !shown.opener.contains(event.target)) close();
  });
  document.addEventListener("focusin", (event) => {
    if (shown && !shown.panel.contains(event.target) && !shown.opener.contains(event.target)) close();
  });
  on("download", downloaded);
  by("menu-panel").addEventListener("keydown", (event) => {
    const all = [...by("menu-panel").querySelectorAll("button:not(:disabled)")].filter((one) => one.offsetParent);
    const to = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!to) return;
    event.preventDefault();
    all[(all.indexOf(document.activeElement) + to + all.length) % all.length]?.focus();
  });
  on("local:link", ({ state: is }) => {
    if (is === "closed") close();
  });
  addEventListener("resize", () => close());
}
