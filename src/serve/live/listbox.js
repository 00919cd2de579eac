// A drop-down: a listbox with headings, one choice or several, arrows, pages, and finding by typing.

import { button, element } from "./dom.js";

const TYPED_WITHIN = 700;
const PAGE = 8;

/** The parts of a list that offers `message.options` and answers with `pick` or `cancel`. */
export function listbox(message, { pick, cancel }) {
  const options = message.options ?? [];
  const several = message.multiple === true;
  const chosen = new Set(options.flatMap((option, index) => (option.selected ? [index] : [])));
  const rows = options.map((option, index) => row(option, index));
  const list = element("div", { class: "list", role: "listbox", tabIndex: 0, "aria-label": "Options" }, ...grouped(options, rows));
  if (several) list.setAttribute("aria-multiselectable", "true");
  let at = [...chosen][0] ?? options.findIndex((option) => !option.disabled);
  let typed = { text: "", time: 0 };

  function row(option, index) {
    const made = element("div", { id: `option-${index}`, role: "option", class: "option", "aria-selected": String(chosen.has(index)) });
    made.textContent = option.label || "\u00a0";
    if (option.disabled) made.setAttribute("aria-disabled", "true");
    made.addEventListener("pointermove", () => move(index, false));
    made.addEventListener("click", () => choose(index));
    return made;
  }

  function move(to, scroll = true) {
    if (!options[to] || options[to].disabled) return;
    rows[at]?.classList.remove("at");
    at = to;
    rows[at].classList.add("at");
    list.setAttribute("aria-activedescendant", rows[at].id);
    if (scroll) rows[at].scrollIntoView({ block: "nearest" });
  }

  /** To the next that can be chosen, `by` places on, back to the last one passed where there is none. */
  function step(by) {
    const way = Math.sign(by);
    let best = at;
    for (let place = at + way, left = Math.abs(by); place >= 0 && place < options.length && left > 0; place += way) {
      if (options[place].disabled) continue;
      best = place;
      left -= 1;
    }
    move(best);
  }

  function choose(index) {
    if (!options[index] || options[index].disabled) return;
    if (!several) {
      pick([options[index].value]);
      return;
    }
    move(index);
    if (!chosen.delete(index)) chosen.add(index);
    rows[index].setAttribute("aria-selected", String(chosen.has(index)));
  }

  const done = () => pick(options.flatMap((option, index) => (chosen.has(index) ? [option.value] : [])));

  function find(letter, time) {
    const text = time - typed.time < TYPED_WITHIN ? typed.text + letter : letter;
    typed = { text, time };
    // One letter again and again walks through all that begin with it.
    const same = [...text].every((one) => one === text[0]);
    const wanted = (same ? text[0] : text).toLowerCase();
    const from = same ? at + 1 : at;
    for (let turn = 0; turn < options.length; turn += 1) {
      const place = (from + turn) % options.length;
      if (!options[place].disabled && options[place].label.trim().toLowerCase().startsWith(wanted)) {
        move(place);
        return;
      }
    }
  }

  list.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -options.length, End: options.length };
    const typing = event.key === " " && typed.text && event.timeStamp - typed.time < TYPED_WITHIN;
    if (event.key in steps) step(steps[event.key]);
    else if (event.key === " " && !typing) choose(at);
    else if (event.key === "Enter") several ? done() : choose(at);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && several) all();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) find(event.key, event.timeStamp);
    else return;
    event.preventDefault();
  });

  function all() {
    options.forEach((option, index) => {
      if (option.disabled) return;
      chosen.add(index);
      rows[index].setAttribute("aria-selected", "true");
    });
  }

  const begin = () => {
    list.focus({ preventScroll: true });
    move(at);
  };
  const buttons = several ? element("div", { class: "row" }, button("Cancel", cancel), button("Done", done, { class: "strong" })) : "";
  return { parts: [list, buttons], begin, away: several ? done : cancel };
}

/** Rows under their headings. */
function grouped(options, rows) {
  const parts = [];
  let group = null;
  options.forEach((option, index) => {
    if (!option.group) {
      group = null;
      parts.push(rows[index]);
      return;
    }
    if (group?.name !== option.group) {
      const heading = element("div", { class: "heading", role: "presentation" }, option.group);
      group = { name: option.group, holder: element("div", { role: "group", "aria-label": option.group }, heading) };
      parts.push(group.holder);
    }
    group.holder.append(rows[index]);
  });
  return parts;
}
