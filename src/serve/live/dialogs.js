// What the remote page asks with alert, confirm, prompt and before it is left, and the help.

import { button, by, element } from "./dom.js";
import { activeTab, maySteer, on, send, state } from "./bus.js";
import { apple, focusRemote } from "./keyboard.js";

const box = by("dialog");
/** What the pages wait for, by number: each tab may have one of its own. */
const open = new Map();
/** The one that is shown. */
let asked = null;
/** What has been typed into a prompt, so that it is still there when that is drawn anew. */
let typed = null;
/** Dialogs of late: a page that asks without end must not hold people. */
let recent = [];

function host(url) {
  try {
    return new URL(url).host || "This page";
  } catch {
    return "This page";
  }
}

function title(message) {
  if (message.kind === "beforeunload") return "Leave this page?";
  return `${host(message.url)} says`;
}

function show(message) {
  open.set(message.id, message);
  recent = [...recent.filter((time) => Date.now() - time < 15000), Date.now()];
  choose();
}

/** Shows that of the tab in front, else the oldest. */
function choose() {
  const all = [...open.values()];
  const wanted = all.find((one) => one.tab === activeTab()?.id) ?? all[0] ?? null;
  if (wanted === asked) return;
  typed = null;
  asked = wanted;
  if (asked) draw();
  else if (box.open) box.close();
}

function draw() {
  const { kind } = asked;
  const words = kind === "beforeunload" ? "Changes that you made may be lost." : asked.message;
  const field = kind === "prompt" ? element("input", { type: "text", value: typed ?? asked.default ?? "", oninput: (event) => (typed = event.target.value), "aria-labelledby": "dialog-text" }) : null;
  const yes = { beforeunload: "Leave" }[kind] ?? "OK";
  const no = { confirm: "Cancel", prompt: "Cancel", beforeunload: "Stay" }[kind];
  const form = element(
    "form",
    { onsubmit: (event) => (event.preventDefault(), answer(true, field?.value)) },
    element("h2", { id: "dialog-title" }, title(asked)),
    element("p", { id: "dialog-text", class: "dialog-text" }, words),
    field,
    element("div", { class: "row" }, ...choices(yes, no)),
  );
  if (box.open) box.close();
  box.replaceChildren(form);
  box.showModal();
  (field ?? form.querySelector(".strong"))?.focus();
  if (typed === null) field?.select();
}

function choices(yes, no) {
  if (!state.steering) {
    const note = element("p", { class: "note" }, maySteer() ? "Who is in control can answer." : "You can only watch.");
    const take = button("Take control", () => send("take_control"), { class: "strong" });
    return [note, maySteer() ? take : null, button("Hide", hide, { class: maySteer() ? "" : "strong" })].filter(Boolean);
  }
  const leave = recent.length > 2 ? button("Close the tab", closeTab, { class: "plain" }) : null;
  const cancel = no ? button(no, () => answer(false)) : null;
  const accept = element("button", { type: "submit", class: "strong" }, yes);
  return [leave, cancel, accept].filter(Boolean);
}

function answer(accept, text) {
  if (!asked || !state.steering) return;
  const fields = { id: asked.id, accept };
  if (accept && asked.kind === "prompt") fields.text = text ?? "";
  send("dialog_answer", fields);
  hide();
  if (!asked) focusRemote();
}

function closeTab() {
  const { tab } = asked;
  answer(false);
  send("tab_close", { id: tab });
}

/** Puts the one that is shown away, for the next. */
function hide() {
  open.delete(asked?.id);
  choose();
}

function hideAll() {
  open.clear();
  choose();
}

/** The keys that this page keeps for itself. */
export function help() {
  const rows = [
    ["Esc, Esc", "Leave the remote page: back to the address"],
    ["F6", "Round: address, notices, picture"],
    [apple ? "⌘ with R, L, T, W" : "F5, Ctrl with R, L, T, W", "Reload, address, new tab, close the tab"],
    [apple ? "⌘ with [ or ]" : "Alt with ← or →", "Back, forward"],
    ["Ctrl or ⌘ with +, -, 0", "Size of this page, not of the remote one"],
    ["Enter in the address", "Go there, and back into the remote page"],
    ["Ctrl or ⌘ with C, X, V", "Copy, cut and paste between here and there"],
  ];
  const known = by("help");
  known.replaceChildren(
    element("h2", { id: "help-title" }, "Keyboard"),
    element("p", {}, "While the picture has the frame around it, all other keys go to the remote page, Tab too."),
    element("dl", {}, ...rows.flatMap(([keys, words]) => [element("dt", {}, keys), element("dd", {}, words)])),
    element("div", { class: "row" }, button("Close", () => known.close(), { class: "strong" })),
  );
  known.showModal();
}

/** Begins to listen. */
export function start() {
  on("dialog", show);
  on("dialog_closed", (message) => {
    open.delete(message.id);
    choose();
  });
  on("tabs", choose);
  on("hello", hideAll);
  on("local:steering", () => {
    if (asked) draw();
  });
  on("local:link", ({ state: is }) => {
    if (is === "closed" || is === "waiting") hideAll();
  });
  box.addEventListener("cancel", (event) => {
    event.preventDefault();
    dismissed();
  });
  // Without a gesture before, a browser closes a dialog at Esc and asks nobody.
  box.addEventListener("close", () => {
    if (asked && !box.open) dismissed();
  });
}

/** Esc: what it does in a browser's own dialogs. */
function dismissed() {
  if (state.steering) answer(asked?.kind === "alert");
  else hide();
}
