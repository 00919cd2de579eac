// The socket: opens it with the token as a subprotocol (never in an address), comes back by itself after a loss with
// growing pauses, measures the way there and back, and gives up only when the server says that it is over.

const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];
const PING_EVERY = 5000;
const SILENT_FOR = 12000;
/** Close codes of ours: the browser does not show a page why a socket was refused, so the server accepts and then says. */
const FINAL = new Map([
  [4401, "unauthorized"],
  [4403, "forbidden"],
  [4404, "not_found"],
  [4410, "ended"],
]);

/**
 * Keeps a socket to `address` open. `heard` has `message(object)`, `frame(ArrayBuffer)` and `changed(state, detail)`; the states
 * are connecting, open, waiting (detail: when it tries again) and closed (detail: why).
 */
export function connection(address, token, heard) {
  let socket = null;
  let tries = 0;
  let retryTimer = 0;
  let pingTimer = 0;
  let over = false;
  let visible = true;
  let pinged = 0;
  let lastHeard = 0;

  function open() {
    clearTimeout(retryTimer);
    if (over || socket) return;
    heard.changed("connecting", tries);
    const made = new WebSocket(address, ["rhaven.v1", `token.${token}`]);
    made.binaryType = "arraybuffer";
    socket = made;
    made.onopen = () => {
      lastHeard = Date.now();
      heard.changed("open");
      watch();
    };
    made.onmessage = (event) => {
      if (made !== socket) return;
      lastHeard = Date.now();
      if (typeof event.data === "string") text(event.data);
      else heard.frame(event.data);
    };
    made.onclose = (event) => {
      if (made === socket) lost(event.code);
    };
  }

  function text(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof message?.type !== "string") return;
    if (message.type === "hello") tries = 0;
    if (message.type === "pong") {
      heard.changed("measured", Math.max(0, performance.now() - message.t));
      return;
    }
    heard.message(message);
    if (message.type === "closed") finish(message.reason);
  }

  function lost(code) {
    socket = null;
    clearInterval(pingTimer);
    if (over) return;
    if (FINAL.has(code)) {
      finish(FINAL.get(code));
      return;
    }
    const pause = PAUSES[Math.min(tries, PAUSES.length - 1)] * (0.8 + Math.random() * 0.4);
    tries += 1;
    heard.changed("waiting", Date.now() + pause);
    retryTimer = setTimeout(open, pause);
  }

  function finish(reason) {
    if (over) return;
    over = true;
    clearTimeout(retryTimer);
    clearInterval(pingTimer);
    socket?.close(1000);
    socket = null;
    heard.changed("closed", reason);
  }

  /** Asks for a sign of life now and then; a socket that stays silent is given up, as some networks drop one without a word. */
  function watch() {
    clearInterval(pingTimer);
    pinged = 0;
    const beat = () => {
      if (!visible) return;
      if (pinged > lastHeard && Date.now() - pinged > SILENT_FOR - PING_EVERY) {
        const dead = socket;
        lost(0);
        dead?.close();
        return;
      }
      if (pinged <= lastHeard) pinged = Date.now();
      send("ping", { t: performance.now() });
    };
    beat();
    pingTimer = setInterval(beat, PING_EVERY);
  }

  function send(type, fields) {
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify({ type, ...fields }));
    return true;
  }

  function retry() {
    if (over) return;
    const former = socket;
    socket = null;
    clearInterval(pingTimer);
    former?.close(1000);
    tries = 0;
    open();
  }

  addEventListener("online", () => {
    if (!socket) retry();
  });
  return {
    open,
    send,
    retry,
    close: finish,
    /** While nobody looks nothing is asked; when somebody looks again, a waiting socket is tried at once. */
    seen(is) {
      visible = is;
      if (is && !socket) retry();
      else if (is && socket?.readyState === WebSocket.OPEN) watch();
    },
  };
}
