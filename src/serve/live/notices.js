// What is told beside the picture: short messages, banners, the state of the connection, and the end.

import { button, by, clock, element, icon, say } from "./dom.js";
import { emit, link, maySteer, on, send, state } from "./bus.js";

const banners = by("banners");
const cover = by("cover");
const TOAST_FOR = 7000;
const MOST_TOASTS = 3;

/** Shows a short message; with `keep` until it is dismissed. */
export function toast(words, { keep = false, actions = [], bad = false } = {}) {
  const shown = element("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : null });
  // What is new and polite at once is read by few screen readers; the line that is there from the beginning is.
  if (!bad) say(words);
  const gone = () => shown.remove();
  const dismiss = button(icon("close"), gone, { class: "plain", "aria-label": "Dismiss" });
  shown.append(element("p", {}, words), ...actions, dismiss);
  const all = by("toasts");
  all.append(shown);
  while (all.children.length > MOST_TOASTS) all.firstElementChild.remove();
  if (!keep) setTimeout(gone, TOAST_FOR);
  return shown;
}

/** Shows a banner under the toolbar; one for each name. */
export function banner(name, words, actions = [], kind = "") {
  endBanner(name);
  const text = element("p", {}, words);
  const shown = element("section", { class: `banner ${kind}`, role: "group", "aria-label": words }, text, ...actions);
  shown.dataset.name = name;
  banners.append(shown);
  say(words);
  return { text, shown };
}

export function endBanner(name) {
  for (const shown of [...banners.children]) if (shown.dataset.name === name) shown.remove();
}

const WARNED = {
  inactive: "Nobody has done anything for a while. This browser closes in",
  absolute: "The time of this browser is nearly up. It closes in",
  offline: "Nobody is connected. This browser closes in",
};

let countdown = 0;

function warning(message) {
  warningOver();
  const until = Date.now() + message.seconds * 1000;
  const left = () => clock(Math.max(0, Math.round((until - Date.now()) / 1000)));
  const stay = button("Keep it open", stayHere, { class: "strong" });
  const words = WARNED[message.kind] ?? WARNED.inactive;
  const { text } = banner("warning", `${words} ${left()}.`, message.kind === "inactive" ? [stay] : [], "warn");
  countdown = setInterval(() => {
    text.textContent = `${words} ${left()}.`;
  }, 1000);
}

function warningOver() {
  clearInterval(countdown);
  endBanner("warning");
}

/** Tells the server that somebody is there, without doing anything in the remote page. */
export const stayHere = () => send("ping", { t: performance.now(), active: true });

function pause(message) {
  const done = button("Done", () => send("done"), { class: "strong" });
  const words = message.reason || "A script waits for you.";
  const { shown } = banner("pause", words, [done], "pause");
  shown.prepend(element("strong", {}, "Your turn"));
  allowDone();
}

function allowDone() {
  for (const shown of banners.querySelectorAll(".pause button")) {
    shown.disabled = !maySteer();
    shown.title = maySteer() ? "" : "You can only watch.";
  }
}

function passwordOffer(message) {
  const answer = (accept) => () => {
    send("save_password", { id: message.id, accept });
    endBanner("password");
  };
  const site = message.origin.replace(/^https?:\/\//, "");
  const words = message.username ? `Save the password of ${message.username} for ${site}?` : `Save the password for ${site}?`;
  if (state.steering) {
    banner("password", words, [button("Save", answer(true), { class: "strong" }), button("Not now", answer(false))]);
  }
}

const ENDED = {
  ended: ["This browser was closed", "It was ended by its owner."],
  request: ["This browser was closed", "It was ended by its owner."],
  done: ["Thank you", "The script goes on by itself. You can close this page."],
  inactive: ["This browser was closed", "Nobody had done anything for a while."],
  offline: ["This browser was closed", "Nobody was connected for a while."],
  absolute: ["This browser was closed", "Its time was up."],
  crashed: ["This browser has crashed", "It came to an end by itself."],
  shutdown: ["This browser was closed", "The server was shut down."],
  removed: ["You were removed", "Somebody ended your part in this browser. It may go on without you."],
  unauthorized: ["This link does not work", "Its token is wrong or has expired. Ask for a new link."],
  forbidden: ["This link does not work here", "The server does not accept connections from this page."],
  not_found: ["There is no such browser", "It has ended, or the address is wrong."],
  no_token: ["This link is not complete", "The part after “#” is missing. Open the link as you were given it."],
};

/** Why it is over, for people. */
export const endedWords = (reason) => ENDED[reason] ?? ["This browser was closed", `The server says: ${reason}.`];

function closed(reason) {
  const [title, words] = endedWords(reason);
  warningOver();
  banners.replaceChildren();
  by("toasts").replaceChildren();
  document.body.classList.add("ended");
  cover.replaceChildren(element("div", { class: "card", role: "alert" }, element("h2", {}, title), element("p", {}, words)));
  cover.className = "shown solid";
}

let retryTimer = 0;

function waiting(until) {
  const text = element("p", {});
  const count = () => {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    text.textContent = seconds > 0 ? `Trying again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.` : "Trying again …";
  };
  count();
  clearInterval(retryTimer);
  retryTimer = setInterval(count, 500);
  const card = element("div", { class: "card" }, element("h2", {}, "Connection lost"), text);
  card.append(button("Try now", () => link.retry(), { class: "strong" }));
  cover.replaceChildren(card);
  cover.className = "shown";
}

function linked({ state: is, detail }) {
  clearInterval(retryTimer);
  if (is === "closed") closed(detail);
  if (is === "waiting") {
    if (!cover.querySelector("h2")) say("Connection lost. Trying again.");
    waiting(detail);
  }
  if (is === "connecting") {
    const words = detail > 0 ? "Connecting again …" : "Connecting …";
    cover.replaceChildren(element("div", { class: "card quiet", role: "status" }, element("p", {}, words)));
    cover.className = "shown";
  }
}

let refusedAt = 0;

/** Input of somebody who does not steer: said, but not at every key. `answered` where the server has refused it already. */
function refused({ answered = false } = {}) {
  // Control that nobody has goes to who begins to do something. Never as an answer to a refusal: that could go on for ever.
  if (!answered && state.link === "playing" && maySteer() && state.holder === null) {
    send("take_control");
    return;
  }
  if (state.link !== "playing" || Date.now() - refusedAt < 4000) return;
  refusedAt = Date.now();
  if (!maySteer()) toast("You can watch this browser, but not use it.");
  else toast("You are not in control.", { actions: [button("Take control", () => send("take_control"))] });
}

/** Begins to listen. */
export function start() {
  on("warning", warning);
  on("warning_over", warningOver);
  on("pause", pause);
  on("pause_over", () => endBanner("pause"));
  on("password_offer", passwordOffer);
  on("error", (message) => {
    if (message.code === "not_in_control") emit("local:refused", { answered: true });
    else toast(message.message, { bad: true });
  });
  on("local:refused", refused);
  on("local:steering", allowDone);
  on("local:link", linked);
  on("hello", () => {
    // What the server still means it says again after `hello`.
    warningOver();
    banners.replaceChildren();
    if (cover.querySelector("h2")) say("Connected again.");
    cover.className = "";
    cover.replaceChildren();
  });
}
