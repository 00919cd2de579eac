// Files for the remote page: chosen here, read here, sent in one message.

import { button, element, size } from "./dom.js";
import { link, on, send } from "./bus.js";

/** What one message may carry, as the server has it. */
const MOST = 32 * 1024 * 1024;
const LOOK_EVERY = 200;

/** What was refused before it was known which picker it is for. */
const UNREAD = ["too_large", "not_understood"];

/** The picker whose files are being sent, and what is to be done when the server does not take them. */
let sending = null;
on("error", ({ code, picker }) => {
  if (sending && (picker === sending.id || (picker === undefined && UNREAD.includes(code)))) sending.failed();
});
on("picker_closed", ({ id }) => {
  if (id === sending?.id) sending = null;
});

/** The parts of a chooser for files. */
export function filePicker(message, { cancel }) {
  const input = element("input", { type: "file", multiple: message.multiple === true, "aria-label": "Files of this device" });
  if (message.accept) input.accept = message.accept;
  const limit = `The page asks for ${message.multiple ? "files" : "a file"}. Up to ${size(MOST)}${message.multiple ? " together" : ""}.`;
  const note = element("p", { class: "note", role: "status" }, limit);
  const use = button("Send", give, { class: "strong", disabled: true });

  function changed() {
    const total = [...input.files].reduce((sum, file) => sum + file.size, 0);
    const tooMuch = total > MOST;
    use.disabled = tooMuch || input.files.length === 0;
    note.classList.toggle("bad", tooMuch);
    note.textContent = tooMuch ? `That is ${size(total)}; up to ${size(MOST)} can be sent.` : input.files.length ? size(total) : limit;
  }

  async function give() {
    use.disabled = true;
    input.disabled = true;
    note.textContent = "Sending …";
    try {
      const files = [];
      for (const file of input.files) files.push({ name: file.name, type: file.type, content: await base64(file) });
      if (!send("files", { id: message.id, files })) throw new Error("not connected");
      under();
    } catch {
      again();
    }
  }

  /** The panel stays until the server has what it waits for, and closes it. */
  function under() {
    const all = link.unsent();
    const bar = element("progress", { max: Math.max(1, all), value: 0, "aria-label": "Sending" });
    note.after(bar);
    const timer = setInterval(() => {
      bar.value = all - link.unsent();
      if (!bar.isConnected) clearInterval(timer);
    }, LOOK_EVERY);
    const failed = () => {
      sending = null;
      bar.remove();
      if (note.isConnected) again();
    };
    sending = { id: message.id, failed };
  }

  function again() {
    note.textContent = "The files could not be read or sent. Choose them again.";
    note.classList.add("bad");
    input.disabled = false;
    input.value = "";
  }

  /** Takes files that were dropped on the page. */
  function drop(files) {
    if (input.disabled) return;
    const some = new DataTransfer();
    for (const file of message.multiple ? files : [...files].slice(0, 1)) some.items.add(file);
    input.files = some.files;
    changed();
    use.focus();
  }

  input.addEventListener("change", changed);
  const row = element("div", { class: "row" }, button("Cancel", cancel), use);
  return { parts: [note, input, row], begin: () => input.focus(), away: () => {}, drop };
}

/** A file's bytes in base64. */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
