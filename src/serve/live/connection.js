// The socket: opens it with the token as a subprotocol (never in an address), comes back by itself after a loss with
// growing pauses, measures the way there and back, and gives up only when the server says that it is over.

const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];
const PING_EVERY = 5000;
const SILENT_FOR = 12000;
/** After sleep or a change of network a browser waits for minutes. */
const OPEN_WITHIN = 10000;
/** One that has been connecting for longer is given up when there may be a way again. */
const STUCK_AFTER = 3000;
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
  let openTimer = 0;
  let began = 0;
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
    began = Date.now();
    openTimer = setTimeout(() => {
      if (made === socket) drop();
    }, OPEN_WITHIN);
    made.onopen = () => {
      clearTimeout(openTimer);
      if (made !== socket) return;
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
    // Not the end of the browser: this page was too slow for what it was sent, and may begin anew.
    if (message.type === "closed" && message.reason === "slow") {
      drop();
      return;
    }
    if (message.type === "pong") {
      heard.changed("measured", Math.max(0, performance.now() - message.t));
      return;
    }
    heard.message(message);
    if (message.type === "closed") finish(message.reason);
  }

  /** Gives the socket up as lost. */
  function drop() {
    const dead = socket;
    lost(0);
    dead?.close();
  }

  function lost(code) {
    socket = null;
    clearInterval(pingTimer);
    clearTimeout(openTimer);
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
    clearTimeout(openTimer);
    clearInterval(pingTimer);
    socket?.close(1000);
    socket = null;
    heard.changed("closed", reason);
  }

  /** Asks for a sign of life now and then; a socket that stays silent is given up, as some networks drop one without a word. */
  function watch() {
    clearInterval(pingTimer);
    pinged = 0;
    let unsent = 0;
    const beat = () => {
      if (!visible || !socket) return;
      // Behind a large file nothing is answered; that some of it has gone out is a sign of life.
      if (socket.bufferedAmount < unsent) lastHeard = Date.now();
      unsent = socket.bufferedAmount;
      if (pinged > lastHeard && Date.now() - pinged > SILENT_FOR - PING_EVERY) {
        drop();
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
    clearTimeout(openTimer);
    former?.close(1000);
    tries = 0;
    open();
  }

  const stuck = () => !socket || (socket.readyState === WebSocket.CONNECTING && Date.now() - began > STUCK_AFTER);

  addEventListener("online", () => {
    if (stuck()) retry();
  });
  return {
    open,
    send,
    retry,
    close: finish,
    /** Bytes that are still to go out. */
    unsent: () => socket?.bufferedAmount ?? 0,
    /** While nobody looks nothing is asked; when somebody looks again, a waiting socket is tried at once. */
    seen(is) {
      visible = is;
      if (is && stuck()) retry();
      else if (is && socket?.readyState === WebSocket.OPEN) watch();
    },
  };
}
