// All namespaces that the key reaches, with what each holds, and how the service is.
import { html, useEffect, useState } from "../html.js";
import { get, readiness } from "../api.js";
import { useAnswer, usePages } from "../asking.js";
import { bytes, count, fromNow } from "../format.js";
import { Badge, Empty, Heading, More, Refusal, Shares } from "../parts.js";
import { href } from "../route.js";

const PAGE = 25;

export default function Namespaces({ params }) {
  const prefix = params.prefix ?? "";
  const [asked, setAsked] = useState(prefix);
  const pages = usePages((cursor, signal) => get("v1/namespaces", { prefix: asked, limit: PAGE, cursor }, signal), [asked]);
  const stats = useStats(pages.items);
  return html`<${Heading} aside=${html`<${Health} />`}>Namespaces<//>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <label for="prefix">Path begins with</label>
      <input id="prefix" type="search" data-search value=${asked} onChange=${(event) => setAsked(event.target.value.trim())} placeholder="user/" spellcheck=${false} />
    </form>
    ${pages.problem && html`<${Refusal} problem=${pages.problem} needs="read" again=${pages.again} />`}
    ${pages.done && pages.items.length === 0 && !pages.problem && html`<${Empty}>${asked ? "No namespace that this key reaches begins so." : "Nothing has been remembered yet."}<//>`}
    ${pages.items.length > 0 && html`<div class="wide"><table class="cards">
      <caption class="hidden">Namespaces with sizes, tiers and health</caption>
      <thead><tr><th scope="col">Namespace</th><th scope="col" class="number">Memories</th><th scope="col">Tiers</th><th scope="col" class="number">Database</th><th scope="col" class="number">Bank</th><th scope="col">Newest</th><th scope="col">Health</th></tr></thead>
      <tbody>${pages.items.map((one) => html`<${Row} key=${one.namespace} one=${one} stats=${stats[one.namespace]} />`)}</tbody>
    </table></div>`}
    <${More} pages=${pages} noun="namespaces" />`;
}

function Row({ one, stats }) {
  const waiting = html`<span class="muted">…</span>`;
  return html`<tr>
    <th scope="row"><a data-row href=${href("namespace", { ns: one.namespace })}>${one.namespace}</a></th>
    <td class="number" data-name="Memories">${count(one.memories)}</td>
    <td data-name="Tiers">${stats ? html`<${Shares} of=${stats.levels} label="Tiers" />` : waiting}</td>
    <td class="number" data-name="Database">${stats ? bytes(Object.values(stats.database_bytes).reduce((a, b) => a + b, 0)) : waiting}</td>
    <td class="number" data-name="Bank">${stats ? bytes(stats.bank_bytes) : waiting}</td>
    <td data-name="Newest">${stats ? html`<span class="nowrap" title=${stats.newest_at}>${stats.newest_at ? fromNow(new Date(stats.newest_at)) : "–"}</span>` : waiting}</td>
    <td data-name="Health">${stats ? html`<${Lag} stats=${stats} />` : waiting}</td>
  </tr>`;
}

export function Lag({ stats }) {
  const behind = stats.head_seq - stats.applied_seq;
  const failed = Object.entries(stats.last_runs).filter(([, run]) => run.state === "failed");
  if (failed.length > 0) return html`<${Badge} tone="bad">${failed.map(([kind]) => kind).join(", ")} failed<//>`;
  if (stats.pending_embeddings > 0) return html`<${Badge} tone="warm" title="The embedding model did not answer; they are found by their words until it does">${count(stats.pending_embeddings)} texts wait<//>`;
  if (stats.applied_seq > 0 && behind > 0) return html`<${Badge} title="The next recall brings the bank up to date">${count(behind)} changes to read<//>`;
  return html`<${Badge} tone="good">${stats.applied_seq > 0 ? "up to date" : "not loaded"}<//>`;
}

// The figures of namespaces, one after the other: each is a count over all that a namespace holds.
function useStats(items) {
  const [known, setKnown] = useState({});
  useEffect(() => {
    const given = new AbortController();
    (async () => {
      for (const { namespace } of items.filter((one) => !known[one.namespace])) {
        const found = await get("v1/stats", { namespace }, given.signal);
        setKnown((before) => ({ ...before, [namespace]: found }));
      }
    })().catch(() => null); // the list itself tells what is wrong
    return () => given.abort();
  }, [items]);
  return known;
}

function Health() {
  const answer = useAnswer((signal) => Promise.all([readiness(signal), get("v1/version", {}, signal)]), []);
  if (answer.value === undefined) return null;
  const [{ ready, checks, degraded }, { version }] = answer.value;
  const wrong = Object.entries(checks ?? {}).filter(([, passes]) => !passes);
  return html`<p class="health"><${Badge} tone=${ready ? "good" : "bad"}>${ready ? "ready" : `not ready: ${wrong.map(([name]) => name).join(", ")}`}<//>
    ${degraded?.length > 0 && html`<${Badge} tone="warm">without ${degraded.join(", ")}<//>`}
    <span class="muted">version ${version}</span></p>`;
}
