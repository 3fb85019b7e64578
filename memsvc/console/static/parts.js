// The small parts that views are made of.
import { html, useEffect, useRef } from "./html.js";
import { bytes, clock, count, day, fromNow, percent, span, words } from "./format.js";
import { href } from "./route.js";

// The heading of a view takes the focus when the view changes: a reader hears where it is.
export function Heading({ children, aside }) {
  return html`<header class="heading"><h1 tabindex="-1" data-heading>${children}</h1>${aside}</header>`;
}

export function Time({ at, relative = false }) {
  if (!at) return html`<span class="muted">–</span>`;
  const moment = new Date(at);
  return html`<time datetime=${at} title=${at}>${day(moment)} ${clock(moment)}</time>${relative && html`<span class="muted"> · ${fromNow(moment)}</span>`}`;
}

const TONES = { active: "good", succeeded: "good", erased: "good", warm: "warm", cold: "cold", archived: "dim", forgotten: "dim", merged: "dim", superseded: "dim", quarantined: "bad", failed: "bad", cancelled: "dim", queued: "warm", running: "warm", waiting: "warm" };

export const Badge = ({ children, tone, title }) => html`<span title=${title} class=${`badge ${tone ?? TONES[children] ?? ""}`}>${children}</span>`;

export const Busy = ({ children = "Asking…" }) => html`<p class="busy" role="status">${children}</p>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// A refusal in the words of the service; for a missing role, which one the key would need.
export function Refusal({ problem, needs, again }) {
  const lacks = problem.status === 403;
  return html`<div class="refusal" role="alert">
    <strong>${lacks ? "This key does not allow it" : problem.title}</strong>
    <p>${sentence(problem.message)}</p>
    ${lacks && needs && html`<p>What is shown here needs a key with the role <code>${needs}</code>.</p>`}
    ${problem.errors.length > 0 && html`<ul>${problem.errors.map((one) => html`<li><code>${one.pointer}</code> ${one.message}</li>`)}</ul>`}
    ${problem.requestId && html`<p class="muted small">Request <code>${problem.requestId}</code></p>`}
    ${again && !lacks && html`<button type="button" onClick=${again}>Ask again</button>`}
  </div>`;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

// What an answer gave, or how it stands with it.
export function Answer({ answer, needs, children }) {
  if (answer.problem) return html`<${Refusal} problem=${answer.problem} needs=${needs} again=${answer.again} />`;
  if (answer.value === undefined) return answer.busy ? html`<${Busy} />` : null;
  return children(answer.value);
}

export function Facts({ of }) {
  const shown = Object.entries(of).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return html`<dl class="facts">${shown.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

// Parts of a whole as one bar, with a legend that says the same in numbers.
export function Shares({ of, label, show = count }) {
  const parts = Object.entries(of).filter(([, n]) => n > 0);
  const whole = parts.reduce((sum, [, n]) => sum + n, 0);
  if (whole === 0) return html`<span class="muted">none</span>`;
  return html`<div class="shares">
    <div class="bar" aria-hidden="true">${parts.map(([name, n], at) => html`<span class=${`part p${at % 6} ${TONES[name] ?? ""}`} style=${{ flexGrow: n }}></span>`)}</div>
    <ul aria-label=${label}>${parts.map(([name, n], at) => html`<li><span class=${`swatch p${at % 6} ${TONES[name] ?? ""}`} aria-hidden="true"></span>${words(name)} ${show(n)}</li>`)}</ul>
  </div>`;
}

export const Sizes = ({ of, label }) => html`<${Shares} of=${of} label=${label} show=${bytes} />`;

export function Retention({ value }) {
  if (value === null) return html`<span class="muted">does not fade</span>`;
  return html`<span class="retention" title=${`Retention ${value}`}><span class="trough" aria-hidden="true"><span style=${{ width: `${100 * value}%` }}></span></span>${percent(value)}</span>`;
}

// Any JSON, as text.
export const Json = ({ of }) => html`<pre class="json" tabindex="0">${JSON.stringify(of, null, 2)}</pre>`;

// Small objects of numbers and words in one line.
export function Pairs({ of }) {
  const entries = Object.entries(of ?? {});
  if (entries.length === 0) return html`<span class="muted">–</span>`;
  return html`<span class="pairs">${entries.map(([name, value]) => html`<span key=${name}>${words(name.replace(SECONDS, ""))} <b>${SECONDS.test(name) && typeof value === "number" ? span(value) : plain(value)}</b></span>`)}</span>`;
}

const SECONDS = /_s$/;

function plain(value) {
  if (value === null) return "none";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
  if (Array.isArray(value)) return value.map(plain).join(", ") || "none";
  return typeof value === "object" ? Object.entries(value).map(([name, one]) => `${words(name)} ${plain(one)}`).join(", ") : String(value);
}

export function More({ pages, noun }) {
  const { items, done, busy, more, problem } = pages;
  if (problem) return null;
  return html`<p class="more"><span class="muted" role="status">${busy ? "Asking…" : `${count(items.length)} ${noun}${done ? "" : " so far"}`}</span>
    ${!done && !busy && html`<button type="button" onClick=${more}>Show more</button>`}</p>`;
}

export const MemoryLink = ({ id, children }) => html`<a class=${children ? "linked" : "id"} href=${href("memory", { id })} title=${id}>${children ?? id.slice(-12)}</a>`;

// A question that has to be answered before something is done.
export function Confirm({ title, verb, onYes, onNo, children }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="confirm-title" onClose=${onNo}>
    <h2 id="confirm-title">${title}</h2>
    ${children}
    <p class="buttons"><button type="button" onClick=${() => dialog.current.close()}>Leave it</button>
      <button type="button" class="strong" onClick=${onYes}>${verb}</button></p>
  </dialog>`;
}

export function NeedsNamespace({ children }) {
  return html`<${Empty}>${children ?? "Choose a namespace first:"} <a href=${href("namespaces")}>all namespaces</a>.<//>`;
}
