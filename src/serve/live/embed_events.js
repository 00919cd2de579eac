// Events of a page that embeds a live browser, as messages to it.

const apple = /mac|iphone|ipad/i.test(globalThis.navigator?.userAgentData?.platform ?? globalThis.navigator?.platform ?? "");
const BITS = { altKey: 1, ctrlKey: 2, metaKey: 4, shiftKey: 8 };

/** The message and its fields for an event in the manner of the DOM's; places are shares of the picture, 0 to 1. */
export function toMessage(event, width, height) {
  const modifiers = Object.entries(BITS).reduce((sum, [name, bit]) => sum + (event?.[name] ? bit : 0), 0);
  const at = { x: (event?.x ?? 0.5) * width, y: (event?.y ?? 0.5) * height };
  const button = event?.button ?? 0;
  const bit = [1, 4, 2, 8, 16][button] ?? 0;
  const kinds = {
    keydown: () => ["key", key("down", event, modifiers)],
    keyup: () => ["key", key("up", event, modifiers)],
    mousemove: () => ["mouse", { kind: "move", ...at, button: 0, buttons: event.buttons ?? 0, clicks: 0, modifiers }],
    mousedown: () => ["mouse", { kind: "down", ...at, button, buttons: bit, clicks: event.detail || 1, modifiers }],
    mouseup: () => ["mouse", { kind: "up", ...at, button, buttons: 0, clicks: event.detail || 1, modifiers }],
    wheel: () => ["wheel", { ...at, dx: event.deltaX ?? 0, dy: event.deltaY ?? 0, modifiers }],
  };
  const made = Object.hasOwn(kinds, event?.type) ? kinds[event.type]() : null;
  if (!made) throw new TypeError("event.type: keydown, keyup, mousemove, mousedown, mouseup or wheel was wanted");
  return made;
}

function key(kind, event, modifiers) {
  const { key: name, code = "", location = 0, repeat = false } = event;
  if (typeof name !== "string") throw new TypeError("event.key: a text was wanted");
  // AltGr is Ctrl and Alt on Windows, and Option is Alt on a Mac, but what they type is meant.
  const graph = event.getModifierState?.("AltGraph") || (apple && event.altKey && !event.ctrlKey && !event.metaKey);
  const typed = kind === "down" && graph && [...name].length === 1 ? { text: name, modifiers: modifiers & ~3 } : { modifiers };
  return { kind, key: name, code, location, repeat: repeat === true, ...typed };
}
