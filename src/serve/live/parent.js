// The page around this one. It speaks through a port that it hands over with its first message, and is heard only when that
// message comes from the window around this one and names the token that this page was opened with: who frames this page
// without having been given its address gets no answer.

import { emit, link, maySteer, on, send, state } from "./bus.js";
import { matchesRoom, pause, resize, setMatch, viewport } from "./frames.js";
import { stayHere } from "./notices.js";

const VERSION = 1;
/** What the page around may send to the browser, with the fields that each has. */
const MESSAGES = {
  navigate: { url: "string", tab: "number?" },
  back: {},
  forward: {},
  reload: {},
  stop: {},
  tab_new: { url: "string?" },
  tab_close: { id: "number" },
  tab_select: { id: "number" },
  mouse: { kind: "string", x: "number", y: "number", button: "number", buttons: "number", clicks: "number", modifiers: "number" },
  wheel: { x: "number", y: "number", dx: "number", dy: "number", modifiers: "number" },
  key: { kind: "string", key: "string", code: "string", text: "string?", location: "number", repeat: "boolean", modifiers: "number" },
  text: { text: "string" },
  paste: { text: "string" },
  take_control: {},
  release_control: {},
};
/** The administrative calls: paths below this page's address. */
const ADMIN = ["setPermissions", "addRoles", "removeRoles", "timeout"];

let port = null;
let frames = false;
/** Whether the page around says when it is done with a picture, whether one is with it, and the one that came meanwhile. */
let acknowledges = false;
let away = false;
let newest = null;
let warned = null;
let over = null;

/** Begins to listen; `given` is called with a token where this page has none. */
export function start(ownToken, given) {
  let token = ownToken;
  if (window.parent === window) return;
  addEventListener("message", (event) => {
    const heard = event.data;
    if (event.source !== window.parent || heard?.rhaven !== VERSION || heard.kind !== "hello") return;
    if (typeof heard.nonce !== "string" || typeof heard.token !== "string" || heard.token === "" || event.ports.length !== 1) return;
    if (token === null) {
      token = heard.token;
      given(token);
    }
    if (heard.token !== token) return;
    port?.close();
    [port] = event.ports;
    port.onmessage = ({ data }) => {
      if (data?.kind === "shown") shown();
      else called(data);
    };
    frames = heard.frames === true;
    acknowledges = heard.acknowledges === true;
    away = false;
    port.postMessage({ kind: "welcome", nonce: heard.nonce, version: VERSION });
    tell("state", snapshot());
    if (over) tell("disconnect", over);
  });
  forward();
}

function tell(name, detail, moved = []) {
  port?.postMessage({ kind: "event", name, detail }, moved);
}

const snapshot = () => ({
  link: state.link,
  viewer: state.viewer,
  tabs: state.tabs,
  width: viewport.width,
  height: viewport.height,
  steering: state.steering,
  holder: state.holder,
  maySteer: maySteer(),
});

/** Tells the page around what it may want to know. */
function forward() {
  const again = () => tell("state", snapshot());
  for (const name of ["tabs", "icon", "local:steering", "local:state", "local:placed"]) on(name, again);
  on("error", ({ code, message }) => tell("error", { code, message }));
  on("warning", (message) => {
    warned = message.kind;
    tell("warning", { kind: message.kind, seconds: message.seconds });
  });
  on("warning_over", () => {
    if (warned) tell("warning", { kind: warned, seconds: null });
    warned = null;
  });
  on("pause", ({ reason }) => tell("pause", { reason }));
  on("pause_over", () => tell("pause_over", {}));
  on("local:link", ({ state: is, detail }) => {
    if (is !== "closed") return;
    over = { reason: detail };
    tell("disconnect", over);
  });
  on("local:drawn", copied);
}

/** Hands a copy of the picture to the page around; of a page that is behind, only the newest waits. */
async function copied(picture) {
  if (!frames || !port) return;
  if (acknowledges && away) {
    newest = picture;
    return;
  }
  away = true;
  newest = null;
  const copy = await createImageBitmap(picture).catch(() => null);
  if (copy) tell("frame", copy, [copy]);
  else shown();
}

function shown() {
  away = false;
  if (newest) copied(newest);
}

async function called(call) {
  if (call?.kind !== "call" || typeof call.id !== "number" || typeof call.name !== "string" || !Array.isArray(call.args)) return;
  const to = port;
  try {
    const act = Object.hasOwn(CALLS, call.name) ? CALLS[call.name] : null;
    if (!act) throw new TypeError(`there is no call “${call.name}”`);
    to.postMessage({ kind: "answer", id: call.id, result: await act(...call.args) });
  } catch (error) {
    to.postMessage({ kind: "answer", id: call.id, error: { name: error.name, message: error.message } });
  }
}

/** The fields of a message that this page lets through, checked; nothing else gets to the server. */
function checked(type, fields) {
  const known = Object.hasOwn(MESSAGES, type) ? MESSAGES[type] : null;
  if (!known) throw new TypeError(`“${type}” cannot be sent`);
  const made = {};
  for (const [name, wanted] of Object.entries(known)) {
    const value = fields?.[name];
    if (value === undefined && wanted.endsWith("?")) continue;
    const kind = wanted.replace("?", "");
    const sound = kind === "number" ? Number.isFinite(value) : typeof value === kind;
    if (!sound) throw new TypeError(`“${type}” wants ${name}: ${kind}`);
    made[name] = value;
  }
  return made;
}

const CALLS = {
  send(type, fields) {
    if (!send(type, checked(type, fields))) throw new Error("not connected");
  },
  resize(width, height) {
    if (!Number.isFinite(width) || !Number.isFinite(height)) throw new TypeError("width and height are numbers");
    if (matchesRoom()) setMatch(false);
    resize(width, height);
  },
  match: (is) => setMatch(is === true),
  pause: (is) => pause(is === true),
  frames(is) {
    frames = is === true;
  },
  ping: () => void stayHere(),
  done: () => void send("done"),
  reconnect: () => link.retry(),
  focus: () => emit("local:focus"),
  destroy() {
    over = { reason: "request" };
    link.close("request");
  },
  async admin(name, body, secret) {
    if (!ADMIN.includes(name)) throw new TypeError(`there is no call “${name}”`);
    const answer = await fetch(`${location.pathname.replace(/\/$/, "")}/${name}`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
    });
    if (answer.ok) return;
    const told = await answer.json().catch(() => null);
    throw new Error(told?.error?.message ?? `the server answered ${answer.status}`);
  },
};
