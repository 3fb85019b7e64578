// Keys. Single ones do nothing while something is written, and can be switched off (WCAG 2.1.4).
import { useEffect } from "./html.js";
import { go } from "./route.js";
import { session } from "./session.js";

const OFF = "memsvc.shortcuts-off";
const PATIENCE_MS = 1200;

export const PLACES = [
  ["n", "namespaces", "Namespaces"],
  ["m", "memories", "Memories"],
  ["r", "recall", "Recall"],
  ["t", "timeline", "Timeline"],
  ["e", "entities", "Entities"],
  ["l", "runs", "Lifecycle"],
  ["x", "erasures", "Erasures"],
  ["a", "audit", "Audit"],
];

export const shortcuts = {
  get on() {
    return localStorage.getItem(OFF) === null;
  },
  set on(wanted) {
    if (wanted) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  },
};

const isWriting = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

// The row after or before the one that has the focus.
function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  const visible = rows.findIndex((row) => row.getBoundingClientRect().top >= 0);
  rows[at < 0 ? Math.max(visible, 0) : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

export function useShortcuts(help) {
  useEffect(() => {
    let begun = 0;
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !shortcuts.on) return;
      if (isWriting(event.target) || document.querySelector("dialog[open]")) return;
      const place = PLACES.find(([key]) => key === event.key);
      if (performance.now() - begun < PATIENCE_MS && place) {
        begun = 0;
        go(place[1], { ns: session.namespace });
      } else if (event.key === "g") begun = performance.now();
      else if (event.key === "j") step(1);
      else if (event.key === "k") step(-1);
      else if (event.key === "?") help();
      else if (event.key === "/") document.querySelector("[data-search]")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
