// One namespace: what it holds and what it takes, its policy, its limits, its last runs.
import { html } from "../html.js";
import { get } from "../api.js";
import { useAnswer } from "../asking.js";
import { bytes, count, span, words } from "../format.js";
import { Answer, Badge, Facts, Heading, NeedsNamespace, Pairs, Shares, Sizes, Time } from "../parts.js";
import { href } from "../route.js";
import { Lag } from "./namespaces.js";

export default function Namespace({ params: { ns } }) {
  const stats = useAnswer((signal) => (ns ? get("v1/stats", { namespace: ns }, signal) : null), [ns]);
  const care = useAnswer((signal) => (ns ? get("v1/policy", { namespace: ns }, signal) : null), [ns]);
  const limits = useAnswer((signal) => (ns ? get("v1/limits", { namespace: ns }, signal) : null), [ns]);
  if (!ns) return html`<${Heading}>Namespace<//><${NeedsNamespace} />`;
  return html`<${Heading}>${ns}<//>
    <p class="ways">${["memories", "recall", "timeline", "entities", "runs"].map((view) => html`<a key=${view} class="button" href=${href(view, { ns })}>${view === "runs" ? "Lifecycle" : words(view)}</a>`)}</p>
    <div class="panels columns">
      <section><h2>Holds</h2><${Answer} answer=${stats} needs="read">${(value) => html`<${Holds} stats=${value} />`}<//></section>
      <section><h2>Takes</h2><${Answer} answer=${stats} needs="read">${(value) => html`<${Takes} stats=${value} />`}<//></section>
      <section><h2>Last work</h2><${Answer} answer=${stats} needs="read">${(value) => html`<${LastRuns} runs=${value.last_runs} />`}<//></section>
      <section><h2>Policy</h2><${Answer} answer=${care} needs="read">${(value) => html`<${Care} care=${value} />`}<//></section>
      <section><h2>Limits</h2><${Answer} answer=${limits} needs="read">${(value) => html`<${Limits} limits=${value} />`}<//></section>
    </div>`;
}

const Holds = ({ stats }) => html`<${Facts} of=${{
  Memories: count(stats.memories),
  Tiers: html`<${Shares} of=${stats.levels} label="Tiers" />`,
  States: html`<${Shares} of=${stats.states} label="States" />`,
  Kinds: html`<${Shares} of=${stats.kinds} label="Kinds" />`,
  Oldest: html`<${Time} at=${stats.oldest_at} relative />`,
  Newest: html`<${Time} at=${stats.newest_at} relative />`,
}} />`;

const Takes = ({ stats }) => html`<${Facts} of=${{
  Health: html`<${Lag} stats=${stats} />`,
  "In the database": html`<${Sizes} of=${stats.database_bytes} label="Bytes in the database" />`,
  "In the bank": bytes(stats.bank_bytes),
  "Vectors in the bank": html`<${Sizes} of=${stats.vector_bytes} label="Bytes of vectors by precision" />`,
  "Embedding model": stats.embedding_model,
  "Last change": `${count(stats.head_seq)}, applied ${count(stats.applied_seq)}`,
}} />`;

function LastRuns({ runs }) {
  const kinds = Object.entries(runs);
  if (kinds.length === 0) return html`<p class="muted">No job has ever run here.</p>`;
  return html`<ul class="plain">${kinds.map(([kind, run]) => html`<li key=${kind}><a href=${href("run", { id: run.id })}>${kind}</a> <${Badge}>${run.state}<//> <${Time} at=${run.ended_at ?? run.asked_at} relative /></li>`)}</ul>`;
}

function Care({ care: { policy, schedules, screening } }) {
  const below = Object.entries(policy.below).map(([level, bound]) => [level, bound ?? "never"]);
  return html`<${Facts} of=${{
    "Falls below retention": html`<${Pairs} of=${Object.fromEntries(below)} />`,
    "As far as": html`<${Pairs} of=${policy.coldest} />`,
    "Stays from importance": policy.protect_importance,
    Quota: [policy.quota_memories !== null && `${count(policy.quota_memories)} memories`, policy.quota_bytes !== null && bytes(policy.quota_bytes)].filter(Boolean).join(", ") || "none",
    "Lives for": policy.ttl_s === null ? "ever, unless it says otherwise" : span(policy.ttl_s),
    Quarantine: policy.quarantine,
    Screening: html`<${Pairs} of=${screening} />`,
    Schedules: schedules.length === 0 ? "none: jobs run when somebody asks" : html`<ul class="plain">${schedules.map((one) => html`<li key=${one.kind}>${one.kind} <code>${one.schedule}</code>, next <${Time} at=${one.next_at} /></li>`)}</ul>`,
  }} />`;
}

function Limits({ limits: { tenant, namespace_used: used, key } }) {
  const part = (have, most, show) => (most === null ? show(have) : `${show(have)} of ${show(most)}`);
  const rates = (of) => [of.requests_per_s !== null && `${count(of.requests_per_s)} requests/s`, of.tokens_per_day !== null && `${count(of.tokens_per_day)} tokens/day`].filter(Boolean).join(", ") || "none";
  return html`<${Facts} of=${{
    "Memories used": used && part(used.memories, tenant.namespace_memories, count),
    "Bytes used": used && part(used.bytes, tenant.namespace_bytes, bytes),
    "Rates of the tenant": rates(tenant),
    "Rates of this key": rates(key),
  }} />`;
}
