// Mouse, wheel and fingers on the picture, sent as they happen; moves are put together to one for each picture of this
// screen, and nothing is sent by a page that does not steer.

import { by } from "./dom.js";
import { emit, on, send, state } from "./bus.js";
import { toRemote, viewport } from "./frames.js";

const canvas = by("screen");
/** A click counts on when it comes this soon after the last, this near, with the same button. */
const AGAIN_WITHIN = 500;
const AGAIN_NEAR = 6;
/** Pixels of a line, where a wheel counts in lines. */
const LINE = 40;

export const modifiers = (event) =>
  (event.altKey ? 1 : 0) | (event.ctrlKey ? 2 : 0) | (event.metaKey ? 4 : 0) | (event.shiftKey ? 8 : 0);

let waitingMove = null;
let waitingWheel = null;
let waitingTouch = false;
let timer = 0;
let last = { time: 0, x: 0, y: 0, button: -1, clicks: 0 };
const fingers = new Map();

/** Sends what has been put together so far, so that what follows comes after it. */
function flush() {
  cancelAnimationFrame(timer);
  timer = 0;
  if (waitingMove) send("mouse", waitingMove);
  if (waitingWheel) send("wheel", waitingWheel);
  if (waitingTouch) send("touch", { kind: "move", points: points() });
  waitingMove = null;
  waitingWheel = null;
  waitingTouch = false;
}

function soon() {
  if (!timer) timer = requestAnimationFrame(flush);
}

/** The place and the buttons of a mouse event, as the wire has them. */
function mouse(kind, event, clicks) {
  return {
    kind,
    ...toRemote(event.clientX, event.clientY),
    button: kind === "move" ? 0 : event.button,
    buttons: event.buttons & 31,
    clicks,
    modifiers: modifiers(event),
  };
}

function count(event) {
  const near = Math.abs(event.clientX - last.x) < AGAIN_NEAR && Math.abs(event.clientY - last.y) < AGAIN_NEAR;
  const again = event.button === last.button && near && event.timeStamp - last.time < AGAIN_WITHIN;
  last = { time: event.timeStamp, x: event.clientX, y: event.clientY, button: event.button, clicks: again ? last.clicks + 1 : 1 };
  return last.clicks;
}

const isTouch = (event) => event.pointerType === "touch";

function down(event) {
  emit("local:focus", { touch: isTouch(event) });
  if (!state.steering) {
    emit("local:refused");
    return;
  }
  try {
    canvas.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is gone already; its end comes all the same.
  }
  flush();
  if (isTouch(event)) touched("start", event);
  else send("mouse", mouse("down", event, count(event)));
}

function moved(event) {
  if (!state.steering) return;
  if (isTouch(event)) {
    if (!fingers.has(event.pointerId)) return;
    keep(event);
    waitingTouch = true;
  } else {
    waitingMove = mouse("move", event, 0);
    chorded(event);
  }
  soon();
}

/** A second button that goes down or up while one is held comes as a move. */
function chorded(event) {
  if (event.button < 0) return;
  waitingMove = null;
  const bit = [1, 4, 2, 8, 16][event.button] ?? 0;
  const pressed = (event.buttons & bit) !== 0;
  flush();
  send("mouse", mouse(pressed ? "down" : "up", event, pressed ? count(event) : last.clicks));
}

function up(event) {
  if (!state.steering) return;
  flush();
  if (isTouch(event)) touched("end", event);
  else send("mouse", mouse("up", event, event.button === last.button ? last.clicks : 1));
}

function cancelled(event) {
  if (isTouch(event)) {
    if (fingers.delete(event.pointerId)) send("touch", { kind: "cancel", points: points() });
  } else if (state.steering && last.button >= 0) {
    send("mouse", { ...mouse("up", event, 1), button: last.button, buttons: 0 });
  }
}

function keep(event) {
  const number = fingers.get(event.pointerId)?.id ?? free();
  const scale = viewport.width / canvas.getBoundingClientRect().width;
  fingers.set(event.pointerId, {
    ...toRemote(event.clientX, event.clientY),
    id: number,
    rx: Math.max(0.5, (event.width * scale) / 2),
    ry: Math.max(0.5, (event.height * scale) / 2),
    force: event.pressure || 0.5,
  });
}

function free() {
  const taken = new Set([...fingers.values()].map((finger) => finger.id));
  let number = 0;
  while (taken.has(number)) number += 1;
  return number;
}

const points = () => [...fingers.values()];

function touched(kind, event) {
  if (kind === "start") keep(event);
  else if (!fingers.delete(event.pointerId)) return;
  send("touch", { kind, points: points() });
}

function wheel(event) {
  // Who only looks on scrolls and zooms what is here.
  if (!state.steering) return;
  event.preventDefault();
  const unit = [1, LINE, viewport.height][event.deltaMode] ?? 1;
  const was = waitingWheel ?? { dx: 0, dy: 0 };
  // Shift turns a wheel sideways; some systems have done so already.
  const turn = event.shiftKey && event.deltaX === 0;
  waitingWheel = {
    ...toRemote(event.clientX, event.clientY),
    dx: was.dx + (turn ? event.deltaY : event.deltaX) * unit,
    dy: was.dy + (turn ? 0 : event.deltaY) * unit,
    modifiers: modifiers(event) & (turn ? ~8 : ~0),
  };
  soon();
}

/** Begins to listen on the picture. */
export function start() {
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", moved);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", cancelled);
  canvas.addEventListener("wheel", wheel, { passive: false });
  // The field that takes keys has the focus, and keeps it; no own menu, no drag, no page back by the mouse's side buttons.
  for (const name of ["mousedown", "mouseup", "auxclick", "contextmenu", "dragstart"]) {
    canvas.addEventListener(name, (event) => event.preventDefault());
  }
  let hidden = false;
  let shape = "default";
  const dress = () => {
    canvas.style.cursor = hidden ? "none" : state.steering ? shape : "default";
  };
  on("hello", (message) => {
    hidden = message.hide_cursor === true;
    dress();
  });
  on("cursor", (message) => {
    shape = message.cursor;
    dress();
  });
  on("local:steering", (steering) => {
    dress();
    if (steering) return;
    fingers.clear();
    waitingMove = null;
    waitingWheel = null;
  });
}
