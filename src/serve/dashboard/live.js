// Live browsers: those that run, and a new one.

import { get, post, remove } from "./api.js";
import { acting, ask, element, head, more, path, say, table, time } from "./parts.js";

/** Shows the section in `holder`. */
export async function show(holder) {
  const rows = [];
  const draw = (next) => {
    const again = more(next, async () => draw(await load(rows, next)));
    holder.replaceChildren(
      head("Live browsers", acting("Start one", () => start(holder), { class: "strong" })),
      table("Live browsers", ["Id", "Started", "State", ""], rows.map((one) => row(one, holder)), "No browser is running."),
      again,
    );
  };
  draw(await load(rows, null));
}

async function load(rows, after) {
  const page = await get(`v0/vm${after ? `?after_id=${encodeURIComponent(after)}` : ""}`);
  rows.push(...page.results);
  return page.next;
}

function row(one, holder) {
  const ended = Boolean(one.termination_date);
  const actions = ended
    ? []
    : [acting("Open", () => open(one.id), { "aria-label": `Open ${one.id}` }), acting("End", () => end(one.id, holder), { "aria-label": `End ${one.id}` })];
  return [element("code", {}, one.id), time(one.creation_date), ended ? "Ended" : "Running", element("div", { class: "row" }, ...actions)];
}

/** Its page, in a tab of its own that knows nothing of this one. */
async function open(id) {
  // Opened at the press itself: after a wait for the server some browsers take it for an advertisement.
  const tab = window.open("about:blank", "_blank");
  if (tab) tab.opener = null;
  try {
    const made = await get(`v0/${path("vm", id)}`);
    if (tab) tab.location.replace(sound(made.embed_url));
    else await ready("This browser kept the new tab from opening", made.embed_url);
  } catch (error) {
    tab?.close();
    throw error;
  }
}

function sound(address) {
  const url = new URL(address, location.href);
  if (!/^https?:$/.test(url.protocol)) throw new Error("the server named an address that is none of the web");
  return url.href;
}

async function end(id, holder) {
  const yes = await ask("End this browser?", "It is closed for everybody who is in it. What it is to keep is saved first.", "End it");
  if (!yes) return;
  await remove(`v0/${path("vm", id)}`);
  say("It was ended.");
  await show(holder);
}

/** Asks what to start with and opens it. */
export async function start(holder, session = "") {
  const given = await ask("Start a live browser", "With a session its profile is loaded, and saved when the browser ends.", "Start", [
    ["session", "Session (may be empty)", { type: "text", value: session, autocomplete: "off", maxLength: 256 }],
    ["keep", "Without one: keep a new profile", { type: "checkbox" }],
    ["start_url", "First page (may be empty)", { type: "url", placeholder: "https://", autocomplete: "off" }],
  ]);
  if (!given) return;
  const body = {};
  if (given.session) body.profile = given.session;
  else if (given.keep) body.profile = true;
  if (given.start_url) body.start_url = given.start_url;
  const made = await post("v0/vm", body);
  const warnings = (made.warnings ?? []).map((warning) => (typeof warning === "string" ? warning : warning.message));
  if (warnings.length) say(warnings.join(" "));
  if (holder) await show(holder);
  await ready("The browser has started", made.embed_url);
}

/** A link to press: by now a browser would take a window that opens by itself for an advertisement. */
async function ready(title, address) {
  const link = element("a", { href: sound(address), target: "_blank", rel: "noopener noreferrer" }, "Open it in a tab of its own");
  await ask(title, link, "Close");
}
