// The page of a live browser: takes the token out of the address, starts the parts, opens the socket.

import { kept } from "./dom.js";
import { emit, link, on, state } from "./bus.js";
import { connection } from "./connection.js";
import * as frames from "./frames.js";
import * as pointer from "./pointer.js";
import * as keyboard from "./keyboard.js";
import * as notices from "./notices.js";
import * as tabs from "./tabs.js";
import * as toolbar from "./toolbar.js";
import * as dialogs from "./dialogs.js";
import * as pickers from "./pickers.js";
import * as menus from "./menus.js";
import * as parent from "./parent.js";

const key = `rhaven.live ${location.pathname}`;
/** How long a page in a frame waits for its token from the page around it. */
const TOKEN_WITHIN = 3000;

/** The token of the address, which must not stay there; after a reload the one of this tab's storage. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return kept.get(key);
  history.replaceState(history.state, "", location.pathname + location.search);
  kept.set(key, given);
  return given;
}

function begin(token) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const address = `${scheme}//${location.host}${location.pathname.replace(/\/$/, "")}/socket`;
  const made = connection(address, token, { message, frame: frames.frame, changed });
  Object.assign(link, { send: made.send, retry: made.retry, close: made.close, unsent: made.unsent });
  on("local:seen", made.seen);
  made.open();
}

function message(heard) {
  if (heard.type === "hello") state.link = "playing";
  emit(heard.type, heard);
  if (heard.type === "hello") emit("local:state");
}

function changed(is, detail) {
  const before = state.link;
  if (is === "closed") {
    state.link = "closed";
    // A token that does not work must not come back after a reload.
    if (["unauthorized", "not_found"].includes(detail)) kept.remove(key);
  }
  if (is === "waiting") state.link = "reconnecting";
  if (is === "connecting" && before === "closed") return;
  if (is === "waiting" && state.steering) emit("control", { holder: null, viewers: state.viewers, yours: false });
  emit("local:link", { state: is, detail });
  if (before !== state.link) emit("local:state");
}

for (const part of [frames, pointer, keyboard, notices, tabs, toolbar, dialogs, pickers, menus]) part.start();
on("hello", (heard) => document.body.classList.toggle("kiosk", heard.kiosk === true));
on("local:steering", (steering) => document.body.classList.toggle("steering", steering));

const token = takeToken();
const framed = window.parent !== window;
let begun = token !== null;
// The same address with another token: nothing is loaded for that, and it must not stay there either.
addEventListener("hashchange", () => {
  const other = takeToken();
  if (other && other !== token && kept.get(key) === other) location.reload();
});
parent.start(token, (given) => {
  if (begun) return;
  begun = true;
  kept.set(key, given);
  begin(given);
});
if (token) begin(token);
else if (!framed) changed("closed", "no_token");
else {
  setTimeout(() => {
    if (!begun) changed("closed", "no_token");
  }, TOKEN_WITHIN);
}
// A page of its own may have the keys at once; one in a frame must not take them from the page around it.
if (!framed) keyboard.focusRemote();
