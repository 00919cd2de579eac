// Back, forward, reload, the address, the bookmark's star, who is in control, and how good the connection is.

import { by, label, say, setIcon } from "./dom.js";
import { activeTab, maySteer, on, send, state } from "./bus.js";
import { drawn } from "./frames.js";
import { focusRemote } from "./keyboard.js";

const address = by("address");
let editing = false;

function draw() {
  const tab = activeTab();
  const steering = state.steering;
  by("back").disabled = !steering || !tab?.can_go_back;
  by("forward").disabled = !steering || !tab?.can_go_forward;
  by("reload").disabled = !steering || !tab;
  label(by("reload"), tab?.loading ? "Stop" : "Reload");
  setIcon(by("reload"), tab?.loading ? "close" : "reload");
  address.readOnly = !steering;
  if (!editing) address.value = shown(tab);
  star(tab);
}

const shown = (tab) => (!tab || tab.url === "about:blank" ? "" : tab.url);

function star(tab) {
  const is = state.bookmarked?.is === true && state.bookmarked.url === tab?.url;
  by("star").hidden = !state.keeps;
  by("star").setAttribute("aria-pressed", String(is));
  by("star").title = is ? "Remove the bookmark" : "Bookmark this page";
  by("star").disabled = !state.steering || !tab || !/^https?:/.test(tab.url);
}

/** What was typed as an address: words that cannot be one go to a search. */
export function toAddress(typed) {
  const text = typed.trim();
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^(about|data|blob|view-source):/i.test(text)) return text;
  const host = text.split(/[/?#]/)[0];
  if (/\s/.test(host) || !/[.:]|^localhost$/i.test(host)) {
    return `https://duckduckgo.com/?q=${encodeURIComponent(text)}`;
  }
  return text;
}

function submit(event) {
  event.preventDefault();
  if (!address.value.trim()) return;
  if (!send("navigate", { url: toAddress(address.value) })) return;
  editing = false;
  focusRemote();
}

function control() {
  const words = by("control").querySelector(".words");
  const others = state.viewers > 1 ? ` ${state.viewers} people are here.` : "";
  by("control").disabled = state.link !== "playing" || !maySteer();
  by("control").classList.toggle("mine", state.steering);
  if (!maySteer()) {
    words.textContent = "Watching";
    label(by("control"), `Watching: this link does not allow control.${others}`);
  } else if (state.steering) {
    words.textContent = "In control";
    label(by("control"), `You are in control. Press to release it.${others}`);
  } else {
    words.textContent = "Take control";
    label(by("control"), `Take control${state.holder === null ? "" : " from the one who has it"}.${others}`);
  }
}

let round = null;
let level = "";

/** Good, fair or poor, by the time there and back; words go with the bars, so that colour says nothing alone. */
function quality() {
  const sign = by("quality");
  const playing = state.link === "playing";
  const now = !playing ? "none" : round === null || round < 150 ? "good" : round < 400 ? "fair" : "poor";
  const words = { none: "Not connected", good: "Good connection", fair: "Fair connection", poor: "Poor connection" }[now];
  const detail = playing && round !== null ? `${words}: ${Math.round(round)} ms, ${rate.shown} pictures a second` : words;
  sign.dataset.level = now;
  label(sign, detail);
  if (now === "poor" && level !== "poor") say("The connection is poor.");
  level = now;
}

const rate = { at: 0, frames: 0, shown: 0 };

function measured(milliseconds) {
  round = round === null ? milliseconds : round * 0.6 + milliseconds * 0.4;
  const now = performance.now();
  if (rate.at) rate.shown = Math.round(((drawn.frames - rate.frames) * 1000) / (now - rate.at));
  Object.assign(rate, { at: now, frames: drawn.frames });
  quality();
}

/** Begins to listen. */
export function start() {
  by("back").addEventListener("click", () => send("back"));
  by("forward").addEventListener("click", () => send("forward"));
  by("reload").addEventListener("click", () => send(activeTab()?.loading ? "stop" : "reload"));
  by("star").addEventListener("click", () => send("bookmark"));
  by("control").addEventListener("click", () => send(state.steering ? "release_control" : "take_control"));
  by("address-form").addEventListener("submit", submit);
  address.addEventListener("input", () => {
    editing = true;
  });
  address.addEventListener("focus", () => address.select());
  address.addEventListener("blur", () => {
    editing = false;
    address.value = shown(activeTab());
  });
  address.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    editing = false;
    address.value = shown(activeTab());
    focusRemote();
  });
  on("tabs", draw);
  on("bookmarked", draw);
  on("local:steering", (steering) => {
    if (control.was !== undefined && control.was !== steering) say(steering ? "You are in control." : "You are not in control.");
    control.was = steering;
    draw();
    control();
  });
  on("local:link", ({ state: is, detail }) => {
    if (is === "measured") measured(detail);
    else {
      if (is !== "open") round = null;
      quality();
      control();
    }
  });
  on("hello", () => {
    control();
    quality();
  });
  draw();
  control();
}
