// The dashboard: signs in with a token, then shows what the token's tenant has.

import { me, onLost, signIn, signOut } from "./api.js";
import { arrive, by, element, say } from "./parts.js";
import * as live from "./live.js";
import * as sessions from "./sessions.js";
import * as jobs from "./jobs.js";
import * as run from "./run.js";

const SECTIONS = { live, sessions, jobs, run };
const main = by("main");
let person = null;

function asked() {
  const [section, ...rest] = location.hash.slice(1).split("/");
  let id = "";
  try {
    id = decodeURIComponent(rest.join("/"));
  } catch {
    // Then it names nothing, and the list is shown.
  }
  return { section: Object.hasOwn(SECTIONS, section) ? section : "live", id };
}

/** Shows the section that the address names; `moved` where a person came here just now. */
async function draw(moved = false) {
  if (!person) {
    welcome();
    return;
  }
  const { section, id } = asked();
  for (const link of by("nav").querySelectorAll("a")) {
    if (link.hash === `#${section}`) {
      link.setAttribute("aria-current", "page");
      document.title = `${id || link.textContent} – Rhaven`;
    } else link.removeAttribute("aria-current");
  }
  const holder = element("section", {}, element("p", { class: "faint" }, "One moment …"));
  main.replaceChildren(holder);
  try {
    await SECTIONS[section].show(holder, id);
  } catch (error) {
    if (holder.isConnected) holder.replaceChildren(element("p", { class: "bad", role: "alert" }, error.message));
  }
  // Who has gone on to something else meanwhile is left alone.
  const at = document.activeElement;
  if (moved && holder.isConnected && (at === document.body || by("nav").contains(at))) arrive();
}

function welcome() {
  for (const id of ["nav", "sign-out"]) by(id).hidden = true;
  by("who").textContent = "";
  document.title = "Sign in – Rhaven";
  run.forget();
  const token = element("input", { id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: false });
  const wrong = element("p", { class: "bad", role: "alert" });
  const send = element("button", { type: "submit", class: "strong" }, "Sign in");
  const form = element(
    "form",
    {
      class: "sign-in",
      onsubmit: async (event) => {
        event.preventDefault();
        send.disabled = true;
        wrong.textContent = "";
        try {
          entered(await signIn(token.value), true);
        } catch (error) {
          wrong.textContent = error.message;
          send.disabled = false;
          token.select();
        }
      },
    },
    element("h2", {}, "Sign in"),
    element("label", { for: "token" }, "Token"),
    token,
    wrong,
    send,
    element("p", { class: "faint" }, "A token comes from “rhaven token create”."),
  );
  main.replaceChildren(form);
  token.focus();
}

function entered(known, moved = false) {
  person = known;
  by("who").textContent = `Tenant ${known.tenant}`;
  for (const id of ["nav", "sign-out"]) by(id).hidden = false;
  draw(moved);
}

by("sign-out").addEventListener("click", async () => {
  await signOut();
  person = null;
  draw();
});
onLost(() => {
  if (!person) return;
  person = null;
  say("You are signed out.", true);
  draw();
});
addEventListener("hashchange", () => draw(true));
const known = await me().catch(() => null);
if (known) entered(known);
else draw();
