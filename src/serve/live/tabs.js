// The strip of tabs: choose, close, open. Kept up to date in place, so that the focus stays where a person put it.

import { by, element, icon, label } from "./dom.js";
import { activeTab, on, send, state } from "./bus.js";

const list = by("tab-list");
const items = new Map();

function build(id) {
  const choose = element("button", { type: "button", class: "tab", onclick: () => send("tab_select", { id }) });
  const close = element("button", { type: "button", class: "tab-close", onclick: () => send("tab_close", { id }) }, icon("close"));
  choose.addEventListener("auxclick", (event) => {
    if (event.button === 1) send("tab_close", { id });
  });
  choose.addEventListener("keydown", (event) => walk(event, id));
  const item = element("li", {}, choose, close);
  const made = { item, choose, close, shownIcon: null };
  items.set(id, made);
  return made;
}

/** Arrows go along the strip, Delete closes. */
function walk(event, id) {
  const at = state.tabs.findIndex((tab) => tab.id === id);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: state.tabs.length - 1 }[event.key];
  if (to !== undefined && state.tabs[to]) {
    event.preventDefault();
    items.get(state.tabs[to].id).choose.focus();
  }
  if (event.key === "Delete" && state.steering) {
    event.preventDefault();
    (items.get(state.tabs[at + 1]?.id ?? state.tabs[at - 1]?.id)?.choose ?? by("tab-new")).focus();
    send("tab_close", { id });
  }
}

function picture(tab) {
  if (tab.loading) return element("span", { class: "spin" });
  // Only pictures that came with a message: this page loads nothing from elsewhere.
  if (tab.icon?.startsWith("data:image/")) return element("img", { src: tab.icon, alt: "", width: 16, height: 16 });
  return icon("globe");
}

function fill(made, tab) {
  const title = tab.crashed ? `${tab.title} (crashed)` : tab.title || tab.url || "New tab";
  const wanted = `${tab.loading} ${tab.icon ?? ""}`;
  if (made.shownIcon !== wanted) {
    made.choose.replaceChildren(picture(tab), element("span", { class: "title" }));
    made.shownIcon = wanted;
  }
  made.choose.querySelector(".title").textContent = title;
  made.choose.title = title;
  if (tab.active) made.choose.setAttribute("aria-current", "true");
  else made.choose.removeAttribute("aria-current");
  label(made.close, `Close ${title}`);
  made.item.classList.toggle("active", tab.active);
}

function draw() {
  let lost = -1;
  for (const [id, made] of items) {
    if (!state.tabs.some((tab) => tab.id === id)) {
      if (made.item.contains(document.activeElement)) lost = [...list.children].indexOf(made.item);
      made.item.remove();
      items.delete(id);
    }
  }
  state.tabs.forEach((tab, place) => {
    const made = items.get(tab.id) ?? build(tab.id);
    fill(made, tab);
    if (list.children[place] !== made.item) list.insertBefore(made.item, list.children[place] ?? null);
  });
  allow();
  // The focus of a tab that has gone goes to the one that stands in its place.
  if (lost >= 0) (items.get(state.tabs[Math.min(lost, state.tabs.length - 1)]?.id)?.choose ?? by("tab-new")).focus();
  const front = activeTab();
  document.title = front ? `${front.title || front.url} – live browser` : "Live browser";
  if (front && front.id !== draw.front) {
    draw.front = front.id;
    items.get(front.id).item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function allow() {
  for (const { close, choose } of items.values()) {
    close.hidden = !state.steering;
    choose.setAttribute("aria-disabled", String(!state.steering));
  }
  by("tab-new").disabled = !state.steering;
}

/** Begins to listen. */
export function start() {
  by("tab-new").addEventListener("click", () => send("tab_new"));
  on("tabs", draw);
  on("icon", draw);
  on("local:steering", allow);
}
