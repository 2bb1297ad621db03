// The connection to TensorBoard around this frame: theme, address, and reloads of data.

const outer = window.parent;

function pairs() {
  const [tab, ...rest] = outer.location.hash.replace(/^#/, "").split("&");
  return { tab, rest: rest.map((item) => item.split("=").map(decoded)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text.replace(/\+/g, " "));
  } catch {
    return text;
  }
}

function hashOf(plugin, state, rest) {
  const own = Object.entries(state)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([key, value]) => `p.${plugin}.${key}=${encodeURIComponent(value)}`);
  const others = rest
    .filter(([key]) => !key.startsWith("p."))
    .map(([key, value = ""]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  return `#${[plugin, ...own, ...others].join("&")}`;
}

/** Reads the state of a plugin from the address: text by name. */
export function readState(plugin) {
  const prefix = `p.${plugin}.`;
  const own = pairs().rest.filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value = ""]) => [key.slice(prefix.length), value]));
}

/** Writes a plugin's state to the address, if its tab is shown; moved: add a history entry, so that Back undoes it. */
export function writeState(plugin, state, moved) {
  const { tab, rest } = pairs();
  if (tab && tab !== plugin) return;
  const hash = hashOf(plugin, state, rest);
  if (hash === outer.location.hash) return;
  if (moved) outer.history.pushState(outer.history.state, "", hash);
  else outer.history.replaceState(outer.history.state, "", hash);
}

/** Opens another plugin's tab with a state. */
export function open(plugin, state) {
  outer.location.hash = hashOf(plugin, state, pairs().rest);
}

/** Returns the address of a state. */
export function linkTo(plugin, state) {
  return outer.location.href.replace(/#.*$/, "") + hashOf(plugin, state, pairs().rest);
}

/** Calls back when the user navigates to another address of this tab. */
export function onNavigation(plugin, callback) {
  const listener = () => pairs().tab === plugin && callback(readState(plugin));
  outer.addEventListener("hashchange", listener);
  window.addEventListener("pagehide", () => outer.removeEventListener("hashchange", listener));
}

/** Follows TensorBoard's theme. */
function followTheme() {
  const apply = () => {
    const dark =
      outer === window
        ? matchMedia("(prefers-color-scheme: dark)").matches
        : outer.document.body.classList.contains("dark-mode");
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    window.dispatchEvent(new Event("theme"));
  };
  new MutationObserver(apply).observe(outer.document.body, { attributes: true, attributeFilter: ["class"] });
  apply();
}

// Later style sheets override earlier ones.
const STYLES = ["../parts/filters.css", "../parts/classes.css", "../images/images.css", "toolbar.css", "style.css"];

const styled = (file) =>
  new Promise((resolve) => {
    const href = new URL(file, import.meta.url).href;
    const done = { onload: resolve, onerror: resolve };
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href, ...done }));
  });

/** Sets the frame's title, styles and theme, then calls back. */
export function dress(title, callback) {
  document.title = title;
  document.documentElement.lang = "en";
  Promise.all(STYLES.map(styled)).then(() => {
    callback();
    // Keys work without a click first, unless another element of the page has the focus.
    if (outer === window || outer.document.activeElement === outer.document.body) window.focus();
  });
  followTheme();
}

/** Calls back when TensorBoard has reloaded its data. */
export function onReload(callback) {
  const channel = new MessageChannel();
  channel.port1.onmessage = ({ data }) => {
    try {
      const message = typeof data === "string" ? JSON.parse(data) : data;
      if (message.type === "experimental.DataReloaded") callback();
    } catch {
      // Not a message for us.
    }
  };
  if (outer !== window) outer.postMessage("experimental.bootstrap", "*", [channel.port2]);
}
