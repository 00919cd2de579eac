// The picture: reads frames, decodes them beside the main thread, draws the latest, and only then tells the server that
// there is room for another. Nothing is drawn or acknowledged while nobody can see it, so nothing is sent either.

import { by, say } from "./dom.js";
import { emit, on, send, state } from "./bus.js";

const HEADER = 20;
const KINDS = ["", "image/jpeg", "image/png", "image/webp"];

const canvas = by("screen");
const stage = by("stage");
const pen = canvas.getContext("2d", { alpha: false });

/** The remote viewport in its own CSS pixels: what coordinates are given in. */
export const viewport = { width: 1280, height: 720, tab: 0 };
/** Counted for the sign of the connection's quality. */
export const drawn = { frames: 0, bytes: 0 };

let picture = null;
let next = null;
let busy = false;
let seen = true;
let paused = false;

/** Reads the head of a binary message; null for one that this page does not know. */
export function readFrame(buffer) {
  if (buffer.byteLength <= HEADER) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1) return null;
  return {
    type: KINDS[view.getUint8(1)] ?? "",
    tab: view.getUint16(2, true),
    id: view.getUint32(4, true),
    width: view.getUint16(8, true),
    height: view.getUint16(10, true),
    time: view.getFloat64(12, true),
    bytes: new Uint8Array(buffer, HEADER),
  };
}

/** Takes a frame; one that waited to be decoded is dropped for it. */
export function frame(buffer) {
  const read = readFrame(buffer);
  if (!read) return;
  drawn.bytes += buffer.byteLength;
  next = read;
  work();
}

async function work() {
  if (busy) return;
  busy = true;
  try {
    while (next && seen && !paused) {
      const taken = next;
      next = null;
      await show(taken);
      send("ack", { frame: taken.id });
    }
  } finally {
    busy = false;
  }
}

async function show(taken) {
  let decoded;
  try {
    decoded = await createImageBitmap(new Blob([taken.bytes], { type: taken.type }));
  } catch {
    return; // A broken picture must not stop those that follow.
  }
  picture?.close();
  picture = decoded;
  const moved = viewport.width !== taken.width || viewport.height !== taken.height;
  Object.assign(viewport, { width: taken.width, height: taken.height, tab: taken.tab });
  if (moved || canvas.width === 1) place();
  else paint();
  drawn.frames += 1;
  emit("local:drawn", picture);
}

/** Fits the picture into the room there is, whole, in pixels of this screen, so that it is as sharp as it can be. */
function place() {
  const room = stage.getBoundingClientRect();
  if (room.width < 2 || room.height < 2) return;
  const scale = Math.min(room.width / viewport.width, room.height / viewport.height);
  const density = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(viewport.width * scale * density));
  const height = Math.max(1, Math.round(viewport.height * scale * density));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  canvas.style.width = `${width / density}px`;
  canvas.style.height = `${height / density}px`;
  paint();
  emit("local:placed");
}

function paint() {
  if (!picture) return;
  pen.imageSmoothingEnabled = picture.width !== canvas.width || picture.height !== canvas.height;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
}

/** A place on this page as a place of the remote viewport. */
export function toRemote(clientX, clientY) {
  const at = canvas.getBoundingClientRect();
  const inside = (value, most) => Math.min(Math.max(value, 0), most);
  return {
    x: inside(((clientX - at.left) / at.width) * viewport.width, viewport.width - 1),
    y: inside(((clientY - at.top) / at.height) * viewport.height, viewport.height - 1),
  };
}

/** A rectangle of the remote viewport as one of this page. */
export function toLocal(rect) {
  const at = canvas.getBoundingClientRect();
  const scale = at.width / viewport.width;
  return {
    left: at.left + rect.x * scale,
    top: at.top + rect.y * scale,
    width: (rect.width ?? 0) * scale,
    height: (rect.height ?? 0) * scale,
    scale,
  };
}

/** Stops the picture, or lets it go on, for the page that embeds this one. */
export function pause(is) {
  paused = is;
  tellSeen();
}

let inView = true;
let told = null;

function tellSeen() {
  seen = !document.hidden && inView;
  const wanted = seen && !paused;
  if (wanted !== told) {
    told = wanted;
    send("visible", { visible: wanted });
    emit("local:seen", seen);
  }
  if (wanted) work();
}

/** Begins to watch the room and whether somebody can see it. */
export function start() {
  new ResizeObserver(place).observe(stage);
  new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
    tellSeen();
  }).observe(stage);
  document.addEventListener("visibilitychange", tellSeen);
  on("hello", (message) => {
    viewport.width = message.width;
    viewport.height = message.height;
    stage.classList.remove("stale");
    next = null;
    told = null;
    tellSeen();
    place();
  });
  on("local:link", (is) => {
    // What was last seen is dimmed until the server has greeted again.
    if (is.state === "waiting") stage.classList.add("stale");
    if (is.state === "closed") {
      picture?.close();
      picture = null;
      canvas.hidden = true;
      say("The live browser has ended.");
    }
  });
  matching();
}

let matches = false;
let matchTimer = 0;

/** Whether the remote page takes the size of this one instead of being shown smaller. */
export const matchesRoom = () => matches;

export function setMatch(is) {
  matches = is;
  if (is) resizeSoon(0);
}

/** Asks for another size of the remote viewport, within what the server allows. */
export function resize(width, height) {
  const whole = (value) => Math.max(200, Math.round(value));
  return send("resize", { width: whole(width), height: whole(height) });
}

function resizeSoon(wait) {
  clearTimeout(matchTimer);
  matchTimer = setTimeout(() => {
    const room = stage.getBoundingClientRect();
    if (matches && state.steering && room.width > 1) resize(room.width, room.height);
  }, wait);
}

function matching() {
  new ResizeObserver(() => resizeSoon(250)).observe(stage);
  on("local:steering", () => resizeSoon(0));
}
