// Making and finding elements. Texts from the server are never markup, and no style is written into markup (the page's
// policy forbids it): places are set through the elements' own style objects.

/** The element with this id. */
export const by = (id) => document.getElementById(id);

/** Makes an element; keys with a dash, `role` and `class` become attributes, all others properties. */
export function element(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "class" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A button that says what it does. */
export const button = (words, onclick, given = {}) => element("button", { type: "button", onclick, ...given }, words);

/** One of the icons of page.html. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  picture.append(use);
  return picture;
}

/** A symbol with the same picture instead of the one that a button has. */
export const setIcon = (holder, name) => holder.querySelector("use").setAttribute("href", `#i-${name}`);

/** Names a button for eyes and for screen readers. */
export function label(holder, words) {
  holder.setAttribute("aria-label", words);
  holder.title = words;
}

/** Says `words` to a screen reader. */
export function say(words) {
  by("said").textContent = words;
}

/** Storage of this tab, or nothing where the browser denies it (frames of other sites may not have any). */
export const kept = {
  get(key) {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      // Then a reload needs the address that the page was opened with.
    }
  },
  remove(key) {
    try {
      sessionStorage.removeItem(key);
    } catch {
      // Nothing was kept.
    }
  },
};

/** A size in bytes as people write it. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ["KB", "MB", "GB", "TB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Seconds as minutes and seconds. */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
