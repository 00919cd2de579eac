// Keys, input methods, on-screen keyboards and the clipboard. A field that nobody sees holds the focus for the remote page: it is
// what makes input methods, phones' keyboards and pasting work.

import { button, by, element, say } from "./dom.js";
import { activeTab, emit, on, send, state } from "./bus.js";
import { toLocal } from "./frames.js";
import { modifiers } from "./pointer.js";
import { toast } from "./notices.js";

const sink = by("sink");
const stage = by("stage");
/** Stands in the field so that a phone's keyboard has something to delete; no part of any word. */
const FILLER = "\u00a0\u00a0";
const OUT_WITHIN = 500;

const held = new Map();
let escaped = 0;
let composing = false;

/** The text that the remote page copied last, where this browser's clipboard could not take it. */
let unwritten = null;

export const apple = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform ?? navigator.platform ?? "");

/** Whether the event is the shortcut of copying, cutting or pasting. */
const shortcut = (event, key) =>
  (apple ? event.metaKey : event.ctrlKey) && !event.altKey && event.key.toLowerCase() === key;

function fill() {
  sink.value = FILLER;
  sink.setSelectionRange(FILLER.length, FILLER.length);
}

function sendKey(kind, event) {
  const message = {
    kind,
    key: event.key,
    code: event.code,
    location: event.location,
    repeat: event.repeat,
    modifiers: modifiers(event),
  };
  // AltGr is Ctrl and Alt on Windows, and Option is Alt on a Mac, but what they type is meant.
  const graph = event.getModifierState?.("AltGraph") || (apple && event.altKey && !event.ctrlKey && !event.metaKey);
  if (kind === "down" && graph && [...event.key].length === 1) {
    message.text = event.key;
    message.modifiers &= ~3;
  }
  send("key", message);
}

function pressed(event) {
  if (event.isComposing || event.keyCode === 229 || ["Process", "Dead", "Unidentified"].includes(event.key)) return;
  if (isRound(event)) return; // Heard by the whole page.
  // People who need this page larger must be able to have it so.
  if (commands(event) && ["+", "=", "-", "_", "0"].includes(event.key)) return;
  if (!state.steering) {
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) emit("local:refused");
    return;
  }
  if (shortcut(event, "v") || (event.shiftKey && event.key === "Insert")) return; // `paste` follows.
  if (shortcut(event, "c") || shortcut(event, "x")) {
    event.preventDefault();
    if (!event.repeat) send(shortcut(event, "c") ? "copy" : "cut");
    return;
  }
  event.preventDefault();
  const meant = browserKey(event);
  if (meant) {
    if (!event.repeat) meant();
    return;
  }
  held.set(event.code || event.key, { key: event.key, code: event.code, location: event.location });
  sendKey("down", event);
  if (event.key === "Escape" && !event.repeat) twice(event.timeStamp);
}

const commands = (event) => (apple ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey) && !event.altKey;

/** Shortcuts of a browser mean the remote one, whose page would not know what to do with them. */
function browserKey(event) {
  const key = event.key.toLowerCase();
  const command = commands(event);
  const only = event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (key === "f5" && !event.altKey) return () => send("reload");
  if (command && key === "r") return () => send("reload");
  if (apple ? command && key === "[" : only && key === "arrowleft") return () => send("back");
  if (apple ? command && key === "]" : only && key === "arrowright") return () => send("forward");
  if (!command || event.shiftKey || document.body.classList.contains("kiosk")) return null;
  const tab = activeTab();
  if (key === "l") return () => by("address").focus();
  if (key === "t") return () => send("tab_new");
  if (key === "w" && tab) return () => send("tab_close", { id: tab.id });
  return null;
}

const isRound = (event) => event.key === "F6" && !event.ctrlKey && !event.altKey && !event.metaKey;

/** F6: from the address to what is told beside the picture, into the picture, and out again. */
function round(event) {
  if (!isRound(event) || document.querySelector("dialog[open]") || !by("picker-layer").hidden) return;
  event.preventDefault();
  const at = document.activeElement;
  const note = document.querySelector("#banners button:not(:disabled), #toasts button");
  const stops = [
    { to: by("address").offsetParent && by("address"), here: by("bar").contains(at) },
    { to: note, here: by("banners").contains(at) || by("toasts").contains(at) },
    { to: sink, here: at === sink },
  ].filter((stop) => stop.to);
  const next = stops[(stops.findIndex((stop) => stop.here) + 1) % stops.length].to;
  if (next === at) leave();
  else next.focus({ preventScroll: true });
  if (at === sink) say("Left the remote page.");
}

function twice(time) {
  const again = time - escaped < OUT_WITHIN;
  escaped = again ? 0 : time;
  if (again) leave();
}

/** Out of the remote page, to what stands above it. */
function leave() {
  releaseAll();
  const first = document.body.classList.contains("kiosk") ? null : by("address");
  if (first) first.focus();
  else sink.blur();
  say("Left the remote page.");
}

function released(event) {
  if (!held.delete(event.code || event.key)) return;
  event.preventDefault();
  sendKey("up", event);
  // macOS tells of no key that goes up while Command is down.
  if (event.key === "Meta") releaseAll();
}

/** No key may hang in the remote page when this one cannot hear it go up. */
function releaseAll() {
  for (const key of held.values()) send("key", { kind: "up", ...key, repeat: false, modifiers: 0 });
  held.clear();
}

function tap(key) {
  for (const kind of ["down", "up"]) send("key", { kind, key, code: key, location: 0, repeat: false, modifiers: 0 });
}

/** What comes without a key: phones' keyboards, dictation, emoji panels. */
function input(event) {
  if (composing || event.inputType === "insertCompositionText" || event.inputType === "insertFromComposition") return;
  const kinds = {
    deleteContentBackward: "Backspace",
    deleteWordBackward: "Backspace",
    deleteContentForward: "Delete",
    insertLineBreak: "Enter",
    insertParagraph: "Enter",
  };
  const text = event.data ?? sink.value.replace(FILLER, "");
  if (!state.steering) emit("local:refused");
  else if (kinds[event.inputType]) tap(kinds[event.inputType]);
  else if (text) send("text", { text });
  fill();
}

function compose(event) {
  composing = event.type !== "compositionend";
  if (state.steering) {
    const text = event.data ?? "";
    if (event.type === "compositionupdate") send("ime", { kind: "compose", text, start: text.length, end: text.length });
    if (event.type === "compositionend") send("ime", { kind: text ? "commit" : "cancel", text, start: text.length, end: text.length });
  }
  if (!composing) fill();
}

function pasted(event) {
  event.preventDefault();
  const text = unwritten ?? event.clipboardData?.getData("text/plain") ?? "";
  if (!state.steering) emit("local:refused");
  else if (text) send("paste", { text });
  else toast("Only text can be pasted.");
}

async function copied(message) {
  // Nothing was selected there: what is on the clipboard here stays.
  if (!message.text) {
    say("Nothing was copied.");
    return;
  }
  try {
    await navigator.clipboard.writeText(message.text);
    unwritten = null;
    say("Copied.");
  } catch {
    unwritten = message.text;
    // Without a gesture of the person, or without leave of the embedding page, a browser keeps its clipboard to itself.
    const write = button("Copy", () => ask(message.text).finally(() => shown.remove()));
    const shown = toast("The remote page copied a text.", { keep: true, actions: [write] });
  }
}

async function ask(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { value: text, class: "unseen" });
    document.body.append(area);
    area.select();
    const did = document.execCommand("copy");
    area.remove();
    if (!did) toast("This browser keeps its clipboard to itself. Inside the remote page the text can be pasted.", { bad: true });
  }
  sink.focus({ preventScroll: true });
}

/** Puts the field where the remote caret is, so that an input method's window opens there. */
function caret(message) {
  const at = message.at;
  sink.inputMode = at ? at.mode || "text" : "none";
  by("keyboard").classList.toggle("wanted", at !== null);
  const local = at ? toLocal(at) : { left: 0, top: 0, height: 16 };
  const room = stage.getBoundingClientRect();
  sink.style.left = `${Math.max(0, Math.min(local.left - room.left, room.width - 2))}px`;
  sink.style.top = `${Math.max(0, Math.min(local.top - room.top, room.height - 20))}px`;
}

/** Gives the keys to the remote page. */
export function focusRemote() {
  sink.focus({ preventScroll: true });
}

/** Begins to listen. */
export function start() {
  fill();
  sink.inputMode = "none";
  sink.addEventListener("keydown", pressed);
  sink.addEventListener("keyup", released);
  sink.addEventListener("input", input);
  for (const name of ["compositionstart", "compositionupdate", "compositionend"]) sink.addEventListener(name, compose);
  sink.addEventListener("paste", pasted);
  sink.addEventListener("copy", (event) => event.preventDefault());
  sink.addEventListener("blur", () => {
    composing = false;
    releaseAll();
  });
  addEventListener("blur", () => {
    releaseAll();
    // Elsewhere something newer may be copied.
    unwritten = null;
  });
  for (const name of ["copy", "cut"]) {
    document.addEventListener(name, (event) => {
      if (event.target !== sink) unwritten = null;
    });
  }
  document.addEventListener("keydown", round);
  on("local:focus", focusRemote);
  on("clipboard", copied);
  on("caret", caret);
  on("local:steering", (steering) => {
    if (!steering) held.clear();
  });
  by("keyboard").addEventListener("click", () => {
    if (sink.inputMode === "none") sink.inputMode = "text";
    focusRemote();
  });
  on("tabs", () => by("screen").setAttribute("aria-label", `Picture of the remote page: ${activeTab()?.title ?? ""}`));
}
