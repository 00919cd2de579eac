// A script, run here, and its steps as they happen.

import { get, Refusal, stream } from "./api.js";
import { acting, button, element, head, say } from "./parts.js";

const EXAMPLE = 'goto("https://example.com/");\ntitle()';
const MOST_LINES = 2000;
let running = null;
/** What is seen of the run: kept while another section is looked at. */
let seen = null;

function fresh() {
  return {
    steps: element("ol", { class: "steps", "aria-label": "What happened", "aria-live": "polite" }),
    stop: button("Stop", () => running?.abort(), { disabled: true }),
    outcome: element("pre", { tabIndex: 0, "aria-label": "What it came to", hidden: true }),
  };
}

/** Ends what runs and forgets what was written here: the next person is another one. */
export function forget() {
  running?.abort();
  running = null;
  seen = null;
  for (const name of ["script", "session", "args", "named"]) delete show[name];
}

/** Shows the section in `holder`. */
export async function show(holder) {
  const script = element("textarea", { id: "script", rows: 12, spellcheck: false, value: show.script ?? EXAMPLE, name: "script" });
  const session = element("input", { id: "script-session", type: "text", autocomplete: "off", maxLength: 256, value: show.session ?? "" });
  const args = element("input", { id: "script-args", type: "text", autocomplete: "off", value: show.args ?? "{}", spellcheck: false });
  seen ??= fresh();
  const { steps, stop, outcome } = seen;
  const start = acting("Run", async () => {
    if (running) throw new Error("a script is running here: stop it, or wait for its end");
    Object.assign(show, { script: script.value, session: session.value, args: args.value });
    steps.replaceChildren();
    outcome.hidden = true;
    stop.disabled = false;
    try {
      await run({ script: script.value, session: session.value, args: args.value }, steps, outcome);
    } finally {
      stop.disabled = true;
    }
  }, { class: "strong" });
  script.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) start.click();
  });
  holder.replaceChildren(
    head("Run a script"),
    element("label", { for: "script" }, "Script (Rhai)"),
    script,
    element("div", { class: "fields" }, field(session, "Session (may be empty)"), field(args, "Arguments (JSON)")),
    await library(script),
    element("div", { class: "row left" }, start, stop, element("span", { class: "faint" }, "Ctrl+Enter runs it.")),
    steps,
    outcome,
  );
}

const field = (input, words) => element("div", {}, element("label", { for: input.id }, words), input);

/** The scripts that the server has, to run by name. */
async function library(script) {
  const told = await get("v1/scripts").catch(() => null);
  const names = told?.scripts?.map((one) => one.name) ?? [];
  if (!names.length) return "";
  const choice = element("select", { id: "script-name" }, element("option", { value: "" }, "The one above"), ...names.map((name) => element("option", { value: name }, name)));
  choice.addEventListener("change", () => {
    script.disabled = choice.value !== "";
    show.named = choice.value;
  });
  show.named = "";
  return element("div", { class: "fields" }, field(choice, "Or one of the server's"));
}

async function run(given, steps, outcome) {
  const body = show.named ? { name: show.named } : { script: given.script };
  if (given.session) body.session = given.session;
  try {
    body.args = JSON.parse(given.args || "{}");
  } catch {
    throw new Error("the arguments are no JSON object");
  }
  const own = new AbortController();
  running = own;
  const heard = (name, data) => happened(name, data, steps, outcome);
  try {
    await stream("v1/run", body, heard, own.signal);
  } catch (error) {
    if (error.name === "AbortError") line(steps, "status", "Stopped.");
    else if (error instanceof Refusal) end(outcome, error.message, true);
    else throw error;
  } finally {
    if (running === own) running = null;
  }
}

function line(steps, kind, ...words) {
  const made = element("li", { class: kind }, ...words);
  steps.append(made);
  while (steps.children.length > MOST_LINES) steps.firstElementChild.remove();
  made.scrollIntoView({ block: "nearest" });
  return made;
}

function happened(name, data, steps, outcome) {
  if (name === "step") step(data, steps);
  else if (["print", "log", "notice"].includes(name)) line(steps, name, data.text);
  else if (name === "emit") line(steps, name, element("code", {}, JSON.stringify(data.value)));
  else if (name === "session") line(steps, name, `Session ${data.id} is open${data.version ? ` at version ${data.version}` : ""}.`);
  else if (name === "pause") pause(data, steps);
  else if (name === "pause_over") line(steps, name, data.done ? "The person is done." : "Nobody was done in time.");
  else if (name === "live") watch(data, steps);
  else if (name === "result") end(outcome, JSON.stringify(data.result ?? null, null, 2), false);
  else if (name === "error") end(outcome, failure(data), true);
}

function step(data, steps) {
  if (data.state === "started") {
    line(steps, "step running", data.name).dataset.name = data.name;
    return;
  }
  const last = [...steps.querySelectorAll(".running")].reverse().find((one) => one.dataset.name === data.name);
  const made = last ?? line(steps, "step", data.name);
  made.className = `step ${data.state}`;
  made.textContent = `${data.name}: ${data.state} after ${data.duration_ms} ms`;
}

/** A script that waits for a person: the link to the page where they do it. */
function pause(data, steps) {
  line(steps, "pause", `Waiting for a person: ${data.reason ?? ""} `, linked(data.url));
}

/** A session that may be watched while the script runs. */
function watch(data, steps) {
  line(steps, "live", `${data.session ? `Session ${data.session}` : "The browser"} can be watched: `, linked(data.url));
}

function linked(address) {
  const url = URL.canParse(address ?? "") ? new URL(address) : null;
  if (!url || !/^https?:$/.test(url.protocol)) return "";
  return element("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, "Open the browser");
}

function failure(told) {
  const { code = "", message = "it failed", line: at, column } = told.error ?? {};
  const place = at ? ` (line ${at}${column ? `, column ${column}` : ""})` : "";
  return `${code}: ${message}${place}`;
}

function end(outcome, words, bad) {
  outcome.textContent = words;
  outcome.className = bad ? "bad" : "";
  outcome.hidden = false;
  say(bad ? "The script failed." : "The script is done.", bad);
}
