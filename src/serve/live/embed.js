// `Hyperbeam(container, embedUrl, options)`: puts a live browser into a page of anybody's and steers it from there. Both sides talk
// through a message port that is handed over once, to the origin of `embedUrl` only.

import { tabsOf } from "./live/assets/embed_tabs.js";
import { toMessage } from "./live/assets/embed_events.js";

const VERSION = 1;
const TIMEOUT = 10000;
const ANSWER_WITHIN = 15000;
/** The most pixels that a live browser may have. */
const MOST_AREA = 1920 * 1080;
const ALLOW = ["clipboard-read", "clipboard-write", "fullscreen", "keyboard-lock", "autoplay"];
const REASONS = { inactive: "inactive", absolute: "absolute", removed: "kick", kicked: "kick" };
const LINKS = { connecting: "connecting", playing: "playing", reconnecting: "reconnecting" };

/** The live browser did not answer in time. */
export class TimedOutError extends Error {
  name = "TimedOutError";
}

/** The live browser has ended, or its link does not work. */
export class SessionTerminatedError extends Error {
  name = "SessionTerminatedError";
}

/** There are no regions here; kept for pages that ask. */
export const getRegionInfo = async () => ({ region: "NA" });

/** Puts the browser of `embedUrl` into `container` (an element, or an iframe of yours); resolves when it is connected. */
export async function Hyperbeam(container, embedUrl, options = {}) {
  if (!(container instanceof Element)) throw new TypeError("container: an element was wanted");
  if (typeof options !== "object" || options === null) throw new TypeError("options: an object was wanted");
  for (const [name, value] of Object.entries(options)) {
    if (/^on[A-Z]|Cb$/.test(name) && value !== undefined && typeof value !== "function") {
      throw new TypeError(`options.${name}: a function was wanted`);
    }
  }
  return new Client(container, address(embedUrl), options).connect();
}

export default Hyperbeam;

/** The address, which must be whole; its token goes by the fragment, so that no server's log has it. */
function address(embedUrl) {
  const url = new URL(embedUrl, location.href);
  const token = new URLSearchParams(url.hash.slice(1)).get("token");
  if (!/^https?:$/.test(url.protocol) || !token) throw new TypeError("embedUrl: the whole embed_url with its token was wanted");
  return { href: url.href, origin: url.origin, token };
}

class Client {
  #frame;
  #made = false;
  #url;
  #options;
  #port = null;
  #calls = new Map();
  #count = 0;
  #state = null;
  #listeners = { state: [], error: [] };
  #over = false;
  #settle = null;
  #volume = 1;
  #paused = false;
  #keys = (event) => this.#delegated(event);
  #load = () => this.#greet();

  constructor(container, url, options) {
    this.#url = url;
    this.#options = options;
    this.adminToken = options.adminToken;
    this.playoutDelay = options.playoutDelay === true;
    this.#volume = options.volume ?? 1;
    this.#paused = options.videoPaused === true;
    this.#made = !(container instanceof HTMLIFrameElement);
    this.#frame = this.#made ? document.createElement("iframe") : container;
    this.#frame.title ||= "Live browser";
    this.#frame.allow = ALLOW.map((name) => `${name} ${url.origin}`).join("; ");
    this.#frame.allowFullscreen = true;
    this.#frame.referrerPolicy = "no-referrer";
    this.tabs = tabsOf({ call: (...given) => this.#steered(...given), state: () => this.#state, listen: (name, act) => this.#listen(name, act) });
    if (this.#made) {
      this.#frame.addEventListener("load", this.#load);
      Object.assign(this.#frame.style, { width: "100%", height: "100%", border: "0", display: "block" });
      this.#frame.src = url.href;
      container.append(this.#frame);
    } else if (this.#frame.src.split("#")[0] === url.href.split("#")[0]) {
      // With the same address but for its fragment nothing would be loaded.
      this.#frame.addEventListener("load", () => this.#over || this.#show(), { once: true });
      this.#frame.src = "about:blank";
    } else {
      this.#show();
    }
  }

  #show() {
    this.#frame.addEventListener("load", this.#load);
    this.#frame.src = this.#url.href;
  }

  connect() {
    this.#told("connecting");
    return new Promise((resolve, reject) => {
      const wait = this.#options.timeout ?? TIMEOUT;
      const timer = setTimeout(() => {
        this.destroy();
        reject(new TimedOutError(`the live browser was not connected within ${wait} ms`));
      }, wait);
      this.#settle = (error) => {
        clearTimeout(timer);
        this.#settle = null;
        if (error) {
          this.destroy();
          reject(error);
          return;
        }
        if (this.#options.delegateKeyboard !== false) for (const name of ["keydown", "keyup"]) addEventListener(name, this.#keys);
        if (this.#paused) this.#call("pause", true);
        resolve(this);
      };
    });
  }

  /** Says hello with a port of its own; after each load, as a reload of the frame has forgotten the last. */
  #greet() {
    const { port1, port2 } = new MessageChannel();
    const nonce = crypto.randomUUID?.() ?? String(Math.random());
    this.#port?.close();
    this.#port = null;
    port1.onmessage = ({ data }) => {
      if (data?.kind === "welcome" && data.nonce === nonce && data.version === VERSION) {
        this.#port = port1;
        port1.onmessage = (event) => this.#heard(event.data);
      }
    };
    const hello = { rhaven: VERSION, kind: "hello", nonce, token: this.#url.token, frames: typeof this.#options.frameCb === "function", acknowledges: true };
    this.#frame.contentWindow?.postMessage(hello, this.#url.origin, [port2]);
  }

  #heard(data) {
    if (data?.kind === "answer") {
      const call = this.#calls.get(data.id);
      this.#calls.delete(data.id);
      if (data.error) call?.reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
      else call?.resolve(data.result);
    } else if (data?.kind === "event") {
      this.#event(data.name, data.detail);
    }
  }

  #event(name, detail) {
    const given = this.#options;
    if (name === "state") this.#changed(detail);
    if (name === "error") for (const listener of this.#listeners.error) listener(detail);
    if (name === "disconnect") this.#ended(detail.reason);
    if (name === "frame") this.#framed(detail);
    if (name === "warning" && detail.kind !== "offline") given.onCloseWarning?.({ type: detail.kind, deadline: deadline(detail.seconds) });
    if (name === "pause") given.onPause?.({ reason: detail.reason });
    if (name === "pause_over") given.onPauseOver?.({});
  }

  /** The next picture comes when this one has been taken. */
  #framed(picture) {
    try {
      this.#options.frameCb?.(picture);
    } finally {
      this.#port?.postMessage({ kind: "shown" });
    }
  }

  #changed(detail) {
    const before = this.#state;
    // A page that has just been loaded again knows no tabs yet; they are not gone for that.
    if (detail.tabs.length === 0 && before) detail.tabs = before.tabs;
    this.#state = detail;
    if (LINKS[detail.link] && detail.link !== before?.link) this.#told(LINKS[detail.link]);
    for (const listener of this.#listeners.state) listener(detail, before);
    if (detail.link === "playing" && detail.viewer !== null && detail.tabs.length > 0) this.#settle?.();
  }

  #told(state) {
    if (this.#last === state) return;
    this.#last = state;
    this.#options.onConnectionStateChange?.({ state });
  }
  #last = null;

  #ended(reason) {
    if (this.#over) return;
    if (this.#settle) {
      this.#settle(new SessionTerminatedError(`the live browser has ended: ${reason}`));
      return;
    }
    this.#over = true;
    this.#options.onDisconnect?.({ type: REASONS[reason] ?? "request", reason });
  }

  #listen(name, act) {
    this.#listeners[name].push(act);
    return () => {
      this.#listeners[name] = this.#listeners[name].filter((one) => one !== act);
    };
  }

  #call(name, ...args) {
    if (!this.#port || this.#over) return Promise.reject(new Error("the live browser is not connected"));
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(new TimedOutError(`no answer to “${name}”`));
      }, ANSWER_WITHIN);
      const end = (act) => (value) => {
        clearTimeout(timer);
        act(value);
      };
      this.#calls.set(id, { resolve: end(resolve), reject: end(reject) });
      this.#port.postMessage({ kind: "call", id, name, args });
    });
  }

  /** Sends what steers; takes control for it where nobody has it, or where this page has the admin's token. */
  async #steered(type, fields = {}) {
    const now = this.#state;
    if (now && !now.steering) {
      if (!now.maySteer) throw new Error("this link allows watching only");
      if (now.holder !== null && !this.adminToken) throw new Error("another viewer is in control");
      await this.#call("send", "take_control", {});
    }
    await this.#call("send", type, fields);
  }

  /** Keys of the page around, while nothing of it takes text and the browser itself has no focus. */
  #delegated(event) {
    const at = document.activeElement;
    const taken = at && at !== document.body && (/^(input|textarea|select|button|iframe)$/i.test(at.nodeName) || at.isContentEditable);
    if (taken || event.key === "Tab" || !this.#state?.steering || event.defaultPrevented) return;
    this.sendEvent(event);
  }

  get userId() {
    return this.#state?.viewer === null || !this.#state ? "" : String(this.#state.viewer);
  }
  get width() {
    return this.#state?.width ?? 0;
  }
  get height() {
    return this.#state?.height ?? 0;
  }
  get maxArea() {
    return MOST_AREA;
  }
  get volume() {
    return this.#volume;
  }
  set volume(value) {
    if (!(value >= 0 && value <= 1)) throw new RangeError("volume must be between 0 and 1");
    this.#volume = value; // Kept for pages that set it: there is no sound.
  }
  get videoPaused() {
    return this.#paused;
  }
  set videoPaused(value) {
    this.#paused = value === true;
    this.#call("pause", this.#paused).catch(() => {});
  }

  /** Sends a key, the mouse or the wheel; places are shares of the picture, 0 to 1. */
  sendEvent(event) {
    this.#steered(...toMessage(event, this.width, this.height)).catch(() => {});
  }

  resize(width, height) {
    if (width * height > MOST_AREA) throw new RangeError("width * height cannot be greater than hb.maxArea");
    return this.#call("resize", width, height);
  }

  ping() {
    return this.#call("ping");
  }

  reconnect() {
    this.#call("reconnect").catch(() => {});
  }

  setPermissions(userId, permissions) {
    return this.#call("admin", "setPermissions", [userId, permissions], this.adminToken ?? "");
  }

  addRoles(userIds, roles, exclusive = false) {
    return this.#call("admin", "addRoles", [userIds, roles, exclusive], this.adminToken ?? "");
  }

  removeRoles(userIds, roles, exclusive = false) {
    return this.#call("admin", "removeRoles", [userIds, roles, exclusive], this.adminToken ?? "");
  }

  /** Ends this page's part in it; the browser goes on until its own end. */
  destroy() {
    this.#over = true;
    for (const name of ["keydown", "keyup"]) removeEventListener(name, this.#keys);
    this.#frame.removeEventListener("load", this.#load);
    this.#port?.close();
    this.#port = null;
    for (const call of this.#calls.values()) call.reject(new Error("the live browser was taken out of the page"));
    this.#calls.clear();
    if (this.#made) this.#frame.remove();
    else this.#frame.src = "about:blank";
  }
}

function deadline(seconds) {
  if (seconds === null) return null;
  return { delay: seconds * 1000, closeDate: new Date(Date.now() + seconds * 1000).toISOString() };
}
