// Jobs: what runs, what is done, what came of it.

import { get, post, Refusal } from "./api.js";
import { acting, element, head, more, path, say, table, time } from "./parts.js";

const OPEN = ["queued", "running", "waiting_for_human"];

/** Shows the section in `holder`. */
export async function show(holder) {
  const rows = [];
  const load = async (after) => {
    const page = await get(`v1/jobs${after ? `?after=${encodeURIComponent(after)}` : ""}`);
    rows.push(...page.jobs);
    return page.next ?? null;
  };
  const draw = (next) => {
    const heads = ["Job", "Kind", "State", "Asked", "Done", ""];
    holder.replaceChildren(
      head("Jobs", acting("Look again", () => show(holder))),
      table("Jobs", heads, rows.map((job) => row(job, holder)), "There are no jobs."),
      more(next, async () => draw(await load(next))),
      element("pre", { id: "job-result", tabIndex: 0, "aria-label": "Result of a job", hidden: true }),
    );
  };
  try {
    draw(await load(null));
  } catch (error) {
    // Older servers list none.
    if (!(error instanceof Refusal) || ![404, 405].includes(error.status)) throw error;
    holder.replaceChildren(head("Jobs"), element("p", { class: "none" }, "This server does not list its jobs."));
  }
}

function row(job, holder) {
  const actions = [];
  if (OPEN.includes(job.status)) actions.push(acting("Stop", () => stop(job.job_id, holder), { "aria-label": `Stop ${job.job_id}` }));
  if (job.result_available) actions.push(acting("Result", () => result(job.job_id), { "aria-label": `Result of ${job.job_id}` }));
  return [
    element("code", {}, job.job_id),
    job.job_type,
    element("span", { class: `state ${job.status}` }, job.status),
    time(job.created_at),
    job.completed_at ? time(job.completed_at) : "",
    element("div", { class: "row" }, ...actions),
  ];
}

async function stop(id, holder) {
  await post(`v1/${path("jobs", id)}/cancel`);
  say("It is being stopped.");
  await show(holder);
}

async function result(id) {
  const told = await get(`v1/${path("jobs", id)}/result`);
  const shown = document.getElementById("job-result");
  shown.textContent = JSON.stringify(told, null, 2);
  shown.hidden = false;
  shown.focus();
}
