// Pieces that several sections have: tables, times, questions, what went wrong.

import { button, by, element } from "../live/assets/dom.js";

export { button, by, element, size } from "../live/assets/dom.js";

const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A time of the server's for people, with the exact one beside it. */
export function time(text) {
  const at = new Date(text ?? "");
  if (Number.isNaN(at.getTime())) return "";
  return element("time", { dateTime: at.toISOString(), title: at.toISOString() }, times.format(at));
}

/** A table, or a sentence where it would have no rows. */
export function table(caption, heads, rows, none) {
  if (rows.length === 0) return element("p", { class: "none" }, none);
  const head = element("tr", {}, ...heads.map((words) => element("th", { scope: "col" }, words || element("span", { class: "unseen" }, "Actions"))));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, ...[cell].flat()))));
  const made = element("table", {}, element("caption", { class: "unseen" }, caption), element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "wide", role: "region", "aria-label": caption, tabIndex: 0 }, made);
}

/** Asks before something that cannot be taken back; `fields` are more inputs of the question. */
export function ask(title, words, verb, fields = []) {
  const box = by("ask");
  return new Promise((resolve) => {
    let yes = false;
    const form = element(
      "form",
      {
        method: "dialog",
        onsubmit: () => {
          yes = true;
        },
      },
      element("h2", { id: "ask-title" }, title),
      element("p", {}, words),
      ...fields.map(([name, label, given]) => element("label", {}, label, element("input", { name, ...given }))),
      element("div", { class: "row" }, button("Cancel", () => box.close()), element("button", { type: "submit", class: "strong" }, verb)),
    );
    box.replaceChildren(form);
    box.onclose = () => resolve(yes ? Object.fromEntries(new FormData(form)) : null);
    box.showModal();
  });
}

/** Says it in the corner and to screen readers. */
export function say(words, bad = false) {
  const said = by("said");
  said.className = bad ? "bad shown" : "shown";
  said.textContent = words;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => {
    said.className = "";
    said.textContent = "";
  }, 8000);
}

/** Gives the focus to the head of the section, after what had it has gone. */
export function arrive() {
  const to = by("main").querySelector("h2") ?? by("main");
  to.tabIndex = -1;
  to.focus();
}

/** A button that works on its own: blocked meanwhile, and what went wrong is said. */
export function acting(words, act, given = {}) {
  const made = button(words, async () => {
    made.disabled = true;
    try {
      await act();
    } catch (error) {
      say(error.message, true);
    } finally {
      made.disabled = false;
      // It lost the focus by being blocked, or with what stood here before.
      if (document.activeElement === document.body && !by("ask").open) {
        if (made.isConnected) made.focus();
        else arrive();
      }
    }
  }, given);
  return made;
}

/** The head of a section. */
export const head = (words, ...actions) => element("div", { class: "head" }, element("h2", {}, words), ...actions);

/** A page of the server's answers at a time: a button that fetches more, where there are more. */
export const more = (next, act) => (next ? acting("Show more", act) : "");

export const path = (...parts) => parts.map(encodeURIComponent).join("/");
