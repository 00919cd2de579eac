// Sessions and their versions: names, counts and sizes; the server hands out no values.

import { get, post, remove } from "./api.js";
import { acting, ask, element, head, more, path, say, size, table, time } from "./parts.js";
import { start } from "./live.js";

const MOST_CHANGES = 12;

/** Shows the list in `holder`, or one session. */
export async function show(holder, id) {
  if (id) await one(holder, id);
  else await list(holder);
}

async function list(holder) {
  const rows = [];
  let damaged = 0;
  const load = async (after) => {
    const page = await get(`v1/sessions${after ? `?after=${encodeURIComponent(after)}` : ""}`);
    rows.push(...page.sessions);
    damaged += page.damaged;
    return page.next;
  };
  const draw = (next) => {
    const heads = ["Session", "Version", "Saved", "Cookies", "Sites", "Size", "Profile", "In use by"];
    holder.replaceChildren(
      head("Sessions"),
      damaged ? element("p", { class: "bad" }, `${damaged} more cannot be opened.`) : "",
      table("Sessions", heads, rows.map(row), "No session is kept yet. A script, a page request or a live browser that names one makes it."),
      more(next, async () => draw(await load(next))),
    );
  };
  draw(await load(null));
}

function row(session) {
  const name = element("a", { href: `#sessions/${encodeURIComponent(session.id)}` }, session.id);
  const profile = session.profile ? `${size(session.profile.bytes)}, ${session.profile.saved}` : "";
  return [name, String(session.version), time(session.saved_at), String(session.cookies), String(session.origins), size(session.bytes), profile, session.held_by ?? ""];
}

async function one(holder, id) {
  const at = `v1/${path("sessions", id)}`;
  const [info, history] = await Promise.all([get(at), get(`${at}/history`)]);
  const again = () => one(holder, id);
  holder.replaceChildren(
    element("p", {}, element("a", { href: "#sessions" }, "All sessions")),
    head(
      id,
      acting("Open in a live browser", () => start(null, id), { class: "strong" }),
      acting("Check", () => check(at)),
      acting("Fork", () => fork(at)),
      acting("Delete", () => drop(at, id)),
    ),
    facts(info),
    info.partial.length ? element("p", { class: "bad" }, `${info.partial.length} things could not be kept.`) : "",
    element("h3", {}, "Versions"),
    table("Versions", ["Version", "Saved", "What changed", ""], history.versions.map((entry) => version(entry, info, at, again)), "None."),
    element("h3", {}, "Cookies"),
    table("Cookies", ["Site", "Name", "Until"], info.cookies.map((cookie) => [cookie.domain, cookie.name, cookie.expires ? time(cookie.expires) : "the browser ends"]), "None."),
    element("h3", {}, "Tabs"),
    info.tabs.length ? element("ul", {}, ...info.tabs.map((address) => element("li", {}, address))) : element("p", { class: "none" }, "None."),
  );
}

function facts(info) {
  const pairs = [
    ["Version", String(info.version)],
    ["Saved", time(info.saved_at)],
    ["Runs out", info.expires_at ? time(info.expires_at) : "never"],
    ["Storage", `${size(info.bytes)} of ${info.origins.length} sites`],
    ["Profile", info.profile ? `${size(info.profile.bytes)} in ${info.profile.files} files (${info.profile.saved})` : "none"],
    ["In use by", info.held_by ?? "nobody"],
  ];
  return element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function version(entry, info, at, again) {
  const back = async () => {
    const yes = await ask(`Go back to version ${entry.version}?`, "Its content becomes the newest version. Nothing is lost: the others stay.", "Go back");
    if (!yes) return;
    await post(`${at}/rollback`, { version: entry.version });
    say(`The content of version ${entry.version} is the newest again.`);
    await again();
  };
  const newest = entry.version === info.version;
  return [
    `${entry.version}${entry.pinned ? " (pinned)" : ""}`,
    time(entry.saved_at),
    changed(entry),
    newest ? "newest" : acting(`Go back to version ${entry.version}`, back),
  ];
}

function changed(entry) {
  if (!entry.changes) return entry.profile ? "profile" : "not known";
  const lines = entry.changes.slice(0, MOST_CHANGES).map((change) => element("li", {}, `${change.kind} ${change.store} ${change.name} (${change.origin})`));
  const left = entry.changes.length - lines.length;
  if (left > 0) lines.push(element("li", {}, `and ${left} more`));
  if (entry.profile) lines.push(element("li", {}, "files of the profile"));
  if (!lines.length) return "nothing";
  const words = `${entry.changes.length} ${entry.changes.length === 1 ? "change" : "changes"}`;
  return element("details", {}, element("summary", {}, words), element("ul", {}, ...lines));
}

async function check(at) {
  const told = await post(`${at}/check`);
  if (told.whole) say("All versions are whole.");
  else say("Something is damaged: rhaven session check names it.", true);
}

async function fork(at) {
  const given = await ask("Fork this session", "The copy has a life of its own from then on.", "Fork", [["id", "Id of the new session", { type: "text", required: true, maxLength: 256, autocomplete: "off" }]]);
  if (!given) return;
  const made = await post(`${at}/fork`, { id: given.id });
  location.hash = `#sessions/${encodeURIComponent(made.id)}`;
}

async function drop(at, id) {
  const yes = await ask(`Delete ${id}?`, "All its versions go, and cannot be had back.", "Delete");
  if (!yes) return;
  await remove(at);
  say("It was deleted.");
  location.hash = "#sessions";
}
