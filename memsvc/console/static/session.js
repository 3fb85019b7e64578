// What lasts as long as the tab: the key, and the namespace that was last looked at. Neither ever stands in a URL's path or query.
import { useEffect, useState } from "./html.js";

const KEY = "memsvc.key";
const NAMESPACE = "memsvc.namespace";
const listeners = new Set();

const kept = sessionStorage.getItem(KEY) ?? "";

// The page says whether the service answers without a key (on loopback); if not, nothing is asked before there is one.
const state = {
  key: kept,
  namespace: sessionStorage.getItem(NAMESPACE) ?? "",
  locked: kept === "" && document.querySelector("meta[name=memsvc-keys]").content !== "open",
  refused: false,
};

function set(changes) {
  Object.assign(state, changes);
  for (const [name, value] of [[KEY, state.key], [NAMESPACE, state.namespace]]) {
    if (value) sessionStorage.setItem(name, value);
    else sessionStorage.removeItem(name);
  }
  listeners.forEach((listener) => listener());
}

export const session = {
  get key() {
    return state.key;
  },
  get namespace() {
    return state.namespace;
  },
  enter: (key) => set({ key, locked: false, refused: false }),
  leave: () => set({ key: "", namespace: "", locked: true, refused: false }),
  // The service wants a key, or another one. Several answers may say so, some after a better key was entered.
  refuse: (key) => key === state.key && !state.locked && set({ key: "", locked: true, refused: key !== "" }),
  choose: (namespace) => namespace !== state.namespace && set({ namespace }),
};

export function useSession() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return { ...state };
}
