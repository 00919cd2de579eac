// What Chromium would draw outside of its pictures: drop-downs, dates, colours, files. Each stands where its field is.

import { button, by, element } from "./dom.js";
import { on, send, state } from "./bus.js";
import { toLocal } from "./frames.js";
import { focusRemote } from "./keyboard.js";
import { listbox } from "./listbox.js";
import { toast } from "./notices.js";
import { filePicker } from "./files.js";

const layer = by("picker-layer");
const NAMES = {
  select: "Choose",
  date: "Choose a date",
  time: "Choose a time",
  "datetime-local": "Choose a date and a time",
  month: "Choose a month",
  week: "Choose a week",
  color: "Choose a colour",
  file: "Choose files",
};
const GAP = 4;

let open = null;

function show(message) {
  hide();
  if (!state.steering) return;
  const close = () => hide(true);
  const pick = (values) => {
    send("pick", { id: message.id, values });
    close();
  };
  const cancel = () => {
    send("pick_cancel", { id: message.id });
    close();
  };
  const make = { select: listbox, file: filePicker }[message.kind] ?? field;
  const made = make(message, { pick, cancel, close });
  const panel = element("div", { class: `picker ${message.kind}`, role: "dialog", "aria-label": NAMES[message.kind] ?? "Choose" }, ...made.parts);
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      cancel();
    }
    if (event.key === "Tab") turn(event, panel);
  });
  const behind = element("div", { class: "behind", onpointerdown: made.away ?? cancel });
  layer.replaceChildren(behind, panel);
  layer.hidden = false;
  open = { id: message.id, rect: message.rect, panel, kind: message.kind, drop: made.drop };
  place();
  made.begin?.();
}

/** Tab stays in the panel while it is open. */
function turn(event, panel) {
  const stops = [...panel.querySelectorAll("button, input, [tabindex='0']")].filter((one) => !one.disabled && one.offsetParent);
  const first = stops[0];
  const last = stops.at(-1);
  if (event.shiftKey && document.activeElement === first) {
    event.preventDefault();
    last?.focus();
  } else if (!event.shiftKey && document.activeElement === last) {
    event.preventDefault();
    first?.focus();
  }
}

/** Under its field, above it where there is more room, and never outside of the window. */
function place() {
  if (!open) return;
  const { panel, rect } = open;
  const at = toLocal(rect);
  const wide = document.documentElement.clientWidth;
  const high = document.documentElement.clientHeight;
  panel.style.minWidth = open.kind === "select" ? `${Math.min(Math.max(at.width, 120), wide - 16)}px` : "";
  panel.style.maxHeight = "";
  const below = high - (at.top + at.height) - GAP - 8;
  const above = at.top - GAP - 8;
  const tall = panel.offsetHeight;
  const under = tall <= below || below >= above;
  const room = Math.max(120, Math.min(high - 16, under ? below : above));
  panel.style.maxHeight = `${room}px`;
  const height = Math.min(tall, room);
  const top = under ? at.top + at.height + GAP : at.top - GAP - height;
  panel.style.top = `${Math.max(8, Math.min(top, high - height - 8))}px`;
  panel.style.left = `${Math.max(8, Math.min(at.left, wide - panel.offsetWidth - 8))}px`;
}

function hide(refocus = false) {
  open = null;
  layer.hidden = true;
  layer.replaceChildren();
  if (refocus) focusRemote();
}

/** A field of this page's own browser, which draws its calendar or palette itself. */
function field(message, { pick, cancel }) {
  const input = element("input", { type: message.kind, "aria-label": NAMES[message.kind] });
  for (const name of ["min", "max", "step"]) if (message[name]) input[name] = message[name];
  input.value = message.value ?? "";
  const set = () => {
    if (input.checkValidity()) pick([input.value]);
    else input.reportValidity();
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      set();
    }
  });
  const suggested = (message.options ?? []).map((option) =>
    button(option.label || option.value, () => pick([option.value]), { disabled: option.disabled === true, class: "suggested" }),
  );
  const clear = message.kind === "color" ? null : button("Clear", () => pick([""]));
  const row = element("div", { class: "row" }, clear, button("Cancel", cancel), button("Set", set, { class: "strong" }));
  const parts = [input, suggested.length ? element("div", { class: "suggestions" }, ...suggested) : "", row];
  const begin = () => {
    input.focus();
    try {
      input.showPicker();
    } catch {
      // Without a gesture of the person it stays closed; a press on the field opens it.
    }
  };
  return { parts, begin };
}

/** Files that are dropped go to who asks for some; left to the browser, they would take the place of this page. */
function dropped(event) {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  if (event.type !== "drop") return;
  if (open?.drop) open.drop(event.dataTransfer.files);
  else toast("The remote page does not ask for files. Press its button for that first.");
}

/** Begins to listen. */
export function start() {
  for (const name of ["dragover", "drop"]) document.addEventListener(name, dropped);
  on("picker", show);
  on("picker_closed", (message) => {
    const at = document.activeElement;
    if (open?.id === message.id) hide(at === document.body || layer.contains(at));
  });
  on("local:placed", place);
  addEventListener("resize", place);
  on("hello", () => hide());
  on("local:steering", (steering) => {
    if (!steering) hide();
  });
  on("local:link", ({ state: is }) => {
    if (is === "closed" || is === "waiting") hide();
  });
}
