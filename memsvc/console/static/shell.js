// What is around every view: who is asked for a key, where one can go, and the keys that lead there.
import { html, useEffect, useRef, useState } from "./html.js";
import { get, Problem } from "./api.js";
import { useAnswer } from "./asking.js";
import { Busy, Refusal } from "./parts.js";
import { go, href, read, useRoute } from "./route.js";
import { session, useSession } from "./session.js";
import { PLACES, shortcuts, useShortcuts } from "./shortcuts.js";

const VIEWS = {
  namespaces: ["Namespaces", () => import("./views/namespaces.js")],
  namespace: ["Namespace", () => import("./views/namespace.js")],
  memories: ["Memories", () => import("./views/memories.js")],
  memory: ["Memory", () => import("./views/memory.js")],
  recall: ["Recall", () => import("./views/recall.js")],
  timeline: ["Timeline", () => import("./views/timeline.js")],
  entities: ["Entities", () => import("./views/entities.js")],
  runs: ["Lifecycle", () => import("./views/runs.js")],
  run: ["Run", () => import("./views/run.js")],
  erasures: ["Erasures", () => import("./views/erasures.js")],
  erasure: ["Erasure", () => import("./views/erasure.js")],
  audit: ["Audit", () => import("./views/audit.js")],
};
const UNDER = { namespace: "namespaces", memory: "memories", run: "runs", erasure: "erasures" };
const OF_NO_NAMESPACE = new Set(["namespaces", "erasures", "audit"]);

export function Shell() {
  const known = useSession();
  const [isHelping, setHelping] = useState(false);
  useShortcuts(() => setHelping(true));
  return html`<a class="skip" href="#main" onClick=${skip}>To the content</a>
    <header class="top">
      <a class="brand" href=${href("namespaces")}><span class="mark" aria-hidden="true"></span>memsvc</a>
      ${!known.locked && html`<${Chooser} namespace=${known.namespace} />`}
      <div class="tools">
        <${Shade} />
        <button type="button" onClick=${() => setHelping(true)} aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">?</button>
        ${known.key && html`<button type="button" onClick=${session.leave}>Forget key</button>`}
      </div>
    </header>
    ${known.locked ? html`<main id="main" tabindex="-1"><${KeyForm} refused=${known.refused} /></main>` : html`<${Inside} namespace=${known.namespace} who=${known.key} />`}
    ${isHelping && html`<${Help} onClose=${() => setHelping(false)} />`}`;
}

function skip(event) {
  event.preventDefault(); // the fragment says where the visitor is
  document.getElementById("main").focus();
}

function Inside({ namespace, who }) {
  const route = useRoute();
  const title = VIEWS[route.view]?.[0];
  const [shown, setShown] = useState({});
  useEffect(() => {
    if (route.params.ns) session.choose(route.params.ns);
    document.title = `${title ?? "Not found"} · memsvc console`;
    let isLeft = false;
    VIEWS[route.view]?.[1]().then(
      (found) => isLeft || setShown({ view: route.view, View: found.default }),
      () => isLeft || setShown({ view: route.view, problem: new Problem(0, { detail: "a part of the console could not be loaded; load the page again" }) }),
    );
    return () => (isLeft = true);
  }, [route.view, route.params.ns]);
  useFocusOnArrival(shown.view === route.view && `${route.view} ${route.params.id ?? ""}`);
  useEffect(showPlace, [route.view]);
  const { View } = shown;
  const isThere = shown.view === route.view;
  return html`<div class="frame">
    <nav aria-label="Views" class="places"><ul>
      ${PLACES.map(([key, view, name]) => {
        const isHere = (UNDER[route.view] ?? route.view) === view;
        const params = OF_NO_NAMESPACE.has(view) ? {} : { ns: namespace };
        return html`<li key=${view}><a href=${href(view, params)} aria-current=${isHere ? "page" : undefined} aria-keyshortcuts=${`g ${key}`}>${name}<kbd aria-hidden="true">g ${key}</kbd></a></li>`;
      })}
    </ul></nav>
    <main id="main" tabindex="-1">
      ${!title && html`<h1>Not found</h1><p>There is no such view. <a href=${href("namespaces")}>Namespaces</a></p>`}
      ${title && !isThere && html`<${Busy}>Opening…<//>`}
      ${isThere && shown.problem && html`<${Refusal} problem=${shown.problem} />`}
      ${isThere && View && html`<${View} key=${`${route.view} ${route.params.ns ?? ""} ${who}`} params=${route.params} />`}
    </main>
  </div>`;
}

// On a narrow screen the places are wider than it. Not by scrollIntoView: where Tab goes next would follow it.
function showPlace() {
  const here = document.querySelector(".places [aria-current]");
  const list = here?.closest("ul");
  if (list) list.scrollLeft = here.offsetLeft - (list.clientWidth - here.clientWidth) / 2;
}

// After the first view, whose place in the page the visitor chose by opening it.
function useFocusOnArrival(place) {
  const before = useRef(null);
  useEffect(() => {
    if (!place || place === before.current) return;
    if (before.current !== null) {
      scrollTo(0, 0);
      document.querySelector("[data-heading]")?.focus({ preventScroll: true });
    }
    before.current = place;
  }, [place]);
}

function KeyForm({ refused }) {
  const input = useRef(null);
  useEffect(() => input.current.focus(), []);
  const enter = (event) => {
    event.preventDefault();
    if (input.current.value.trim()) session.enter(input.current.value.trim());
  };
  return html`<form class="key" onSubmit=${enter}>
    <h1>Your API key</h1>
    <p>The console sees what the key may see. The key stays in this tab until it is closed, and is sent to this service only.</p>
    ${refused && html`<p class="refusal" role="alert">The service did not take that key. It may have been revoked, have ended, or be bound to other networks.</p>`}
    <label for="api-key">Key</label>
    <input id="api-key" ref=${input} type="password" autocomplete="off" spellcheck=${false} placeholder="msk_…" required />
    <p class="buttons"><button class="strong">Open</button></p>
  </form>`;
}

function Chooser({ namespace }) {
  const [text, setText] = useState(namespace);
  useEffect(() => setText(namespace), [namespace]);
  const [isWanted, want] = useState(false); // what can be chosen is not asked for before somebody wants to choose
  const { value } = useAnswer((signal) => (isWanted ? get("v1/namespaces", { limit: 100 }, signal) : null), [isWanted]);
  const choose = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    const { view } = read();
    session.choose(text.trim());
    go(OF_NO_NAMESPACE.has(view) || UNDER[view] ? "namespace" : view, { ns: text.trim() });
  };
  return html`<form class="chooser" role="search" aria-label="Namespace" onSubmit=${choose}>
    <label for="namespace">Namespace</label>
    <input id="namespace" list="namespaces" value=${text} onFocus=${() => want(true)} onInput=${(event) => setText(event.target.value)} placeholder="choose one" autocomplete="off" spellcheck=${false} />
    <datalist id="namespaces">${value?.items.map((one) => html`<option key=${one.namespace} value=${one.namespace}></option>`)}</datalist>
    <button>Go</button>
  </form>`;
}

const SHADES = ["light dark", "light", "dark"];
const SHADE_NAMES = { "light dark": "as the system", light: "light", dark: "dark" };

// As the system has it, unless the visitor says otherwise.
function Shade() {
  const [shade, setShade] = useState(() => localStorage.getItem("memsvc.shade") ?? SHADES[0]);
  useEffect(() => {
    document.documentElement.style.colorScheme = shade;
    localStorage.setItem("memsvc.shade", shade);
    dispatchEvent(new Event("memsvc-shade"));
  }, [shade]);
  const next = SHADES[(SHADES.indexOf(shade) + 1) % SHADES.length];
  return html`<button type="button" onClick=${() => setShade(next)} aria-label=${`Colours: ${SHADE_NAMES[shade]}. Change`} title=${`Colours: ${SHADE_NAMES[shade]}`}>${{ "light dark": "◐", light: "○", dark: "●" }[shade]}</button>`;
}

function Help({ onClose }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="help-title" onClose=${onClose}>
    <h2 id="help-title">Keyboard shortcuts</h2>
    <dl class="keys">
      <div><dt><kbd>/</kbd></dt><dd>to the field that searches</dd></div>
      <div><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous row; <kbd>Enter</kbd> opens it</dd></div>
      ${PLACES.map(([key, view, name]) => html`<div key=${view}><dt><kbd>g</kbd> <kbd>${key}</kbd></dt><dd>${name}</dd></div>`)}
      <div><dt><kbd>?</kbd></dt><dd>this list</dd></div>
    </dl>
    <label class="check"><input type="checkbox" checked=${shortcuts.on} onChange=${(event) => (shortcuts.on = event.target.checked)} /> Single keys do something</label>
    <p class="buttons"><button type="button" class="strong" onClick=${() => dialog.current.close()}>Close</button></p>
  </dialog>`;
}
