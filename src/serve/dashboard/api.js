// Asks the server as the person who is signed in. The cookie alone opens nothing: every request also names the word that was given
// at sign-in, which no other site can know or send.

let word = null;
let lost = () => {};

/** What is called when the server does not know this person (any more). */
export const onLost = (act) => {
  lost = act;
};

/** What the server said instead of doing it. */
export class Refusal extends Error {
  constructor(status, told) {
    super(told?.error?.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = told?.error?.code ?? "";
  }
}

async function request(method, path, body, { accept = "application/json", signal } = {}) {
  const sent = { method, headers: { accept }, credentials: "same-origin", signal };
  if (word) sent.headers["x-rhaven-csrf"] = word;
  if (body !== undefined) {
    sent.headers["content-type"] = "application/json";
    sent.body = JSON.stringify(body);
  }
  return fetch(path, sent);
}

async function answer(response) {
  const told = await response.json().catch(() => null);
  if (response.ok) return told;
  if (response.status === 401) lost();
  throw new Refusal(response.status, told);
}

export const get = async (path) => answer(await request("GET", path));
export const post = async (path, body = {}) => answer(await request("POST", path, body));
export const remove = async (path) => answer(await request("DELETE", path));

/** Who is signed in, or null. */
export async function me() {
  const response = await request("GET", "dashboard/me");
  if (!response.ok) return null;
  return known(await response.json());
}

/** Signs in with a token, which goes to the server once and is kept nowhere in the page. */
export async function signIn(token) {
  const response = await request("POST", "dashboard/sign-in", { token });
  const told = await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(response.status, told);
  return known(told);
}

export async function signOut() {
  await request("POST", "dashboard/sign-out", {}).catch(() => {});
  word = null;
}

function known(person) {
  word = person.csrf;
  return person;
}

/** Asks for a stream of events and hands out each as it comes: `heard(name, data)`. */
export async function stream(path, body, heard, signal) {
  const response = await request("POST", path, body, { accept: "text/event-stream", signal });
  if (!response.ok || !response.body) {
    await answer(response);
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) tell(block, heard);
  }
}

function tell(block, heard) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (!data.length) return;
  let value = data.join("\n");
  try {
    value = JSON.parse(value);
  } catch {
    // Then it is a text.
  }
  heard(name, value);
}
