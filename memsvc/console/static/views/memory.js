// One memory: what it says and said, where it comes from, what it is linked to, and how it fades.
import { html, useMemo } from "../html.js";
import { get } from "../api.js";
import { useAnswer } from "../asking.js";
import { axes, Chart } from "../chart.js";
import { percent, span, words } from "../format.js";
import { Answer, Badge, Empty, Facts, Heading, Json, MemoryLink, Retention, Time } from "../parts.js";
import { href } from "../route.js";
import { fading, held, retentionAt } from "../retention.js";

const POINTS = 160;
const SHOWN = 20; // of links, each with a request for its words

export default function Memory({ params: { id } }) {
  const memory = useAnswer((signal) => get(`v1/memories/${encodeURIComponent(id)}`, {}, signal), [id]);
  const history = useAnswer((signal) => get(`v1/memories/${encodeURIComponent(id)}/history`, {}, signal), [id]);
  const links = useAnswer((signal) => get(`v1/memories/${encodeURIComponent(id)}/links`, {}, signal), [id]);
  return html`<${Heading}>Memory<//>
    <${Answer} answer=${memory} needs="read">${(value) => html`
      <article class="memory">
        <p class="text" lang=${value.language ?? undefined}>${value.content}</p>
        <p class="meta"><${Badge}>${value.state}<//>${value.level && value.level !== value.state && html`<${Badge}>${value.level}<//>`}<span>${value.kind}</span>
          ${value.derived && html`<span>made as a ${value.derived}</span>`}${value.pinned && html`<${Badge}>pinned<//>`}${value.legal_hold && html`<${Badge} tone="warm">legal hold<//>`}
          ${value.flags.map((flag) => html`<${Badge} key=${flag} tone="bad">${words(flag)}<//>`)}${value.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`)}</p>
      </article>
      <div class="panels">
        <section class="broad"><h2>Fading</h2><${Fading} memory=${value} /></section>
        <section><h2>Comes from</h2><${Source} memory=${value} links=${links} /></section>
        <section><h2>Facts</h2><${About} memory=${value} /></section>
        <section><h2>Links</h2><${Answer} answer=${links} needs="read">${({ items }) => html`<${Links} items=${items.filter((link) => !isSource(link))} />`}<//></section>
        <section class="broad"><h2>History</h2><${Answer} answer=${history} needs="read">${({ items }) => html`<${History} versions=${items} />`}<//></section>
      </div>`}<//>`;
}

function Fading({ memory }) {
  const care = useAnswer((signal) => get("v1/policy", { namespace: memory.namespace }, signal), [memory.namespace]);
  return html`<${Answer} answer=${care} needs="read">${({ policy }) => html`<${Curve} memory=${memory} policy=${policy} />`}<//>`;
}

function Curve({ memory, policy }) {
  const known = useMemo(() => fading(memory, policy), [memory, policy]);
  const stays = held(memory, policy);
  if (memory.retention === null) return html`<p>It does not fade: it is ${memory.state}.</p>`;
  const isOverdue = memory.fades_at !== null && new Date(memory.fades_at) < new Date();
  const told = stays ? html`It stays where it is, for ${stays}.` : memory.fades_at === null ? "It falls no further." : isOverdue ? html`It is due to fall to the next level since <b data-fades><${Time} at=${memory.fades_at} relative /></b>: the next run of <code>fade</code> moves it.` : html`It falls to the next level on <b data-fades><${Time} at=${memory.fades_at} relative /></b> if nobody uses it.`;
  return html`<p>Retention is <${Retention} value=${memory.retention} />. ${told}</p>
    ${known === null ? html`<p class="muted">It is too fresh for a curve.</p>` : html`<${Drawn} known=${known} />
      <p class="muted small">A use starts the time anew. By this curve, where nothing holds it: ${known.falls.map(({ level, bound, at }) => html`<span key=${level} class="fall">${level} below ${percent(bound)} on <${Time} at=${at.toISOString()} /></span>`)}
      <span class="fall">stability ${span(known.stability_s)}</span></p>`}`;
}

function Drawn({ known }) {
  const data = useMemo(() => {
    const now = Date.now();
    const last = known.falls.length > 0 ? known.falls.at(-1).at.getTime() : known.since.getTime() + 3000 * known.stability_s;
    const begin = known.since.getTime();
    const end = Math.max(begin + (last - begin) * 1.15, begin + (now - begin) * 1.1);
    const moments = Array.from({ length: POINTS }, (_, i) => begin + ((end - begin) * i) / (POINTS - 1)).concat(now).sort((a, b) => a - b);
    return [
      moments.map((at) => at / 1000),
      moments.map((at) => retentionAt(at, known)),
      moments.map((at) => (at === now ? retentionAt(at, known) : null)),
      ...known.falls.map(({ bound }) => moments.map(() => bound)),
    ];
  }, [known]);
  const options = (colour) => ({
    scales: { y: { range: [0, 1.02] } },
    cursor: { show: false },
    axes: axes(colour),
    series: [
      {},
      { stroke: colour("--accent"), width: 2, fill: colour("--accent-wash") },
      { stroke: colour("--accent"), points: { show: true, size: 9, fill: colour("--accent") } },
      ...known.falls.map(({ level }) => ({ stroke: colour(`--tone-${level}`), width: 1, dash: [4, 4], points: { show: false } })),
    ],
  });
  const label = `Retention over time, from 1 on ${known.since.toISOString()} to ${known.falls.map(({ level, bound, at }) => `${level} below ${bound} on ${at.toISOString()}`).join(", ")}`;
  return html`<${Chart} options=${options} data=${data} height=${210} label=${label} />`;
}

const isSource = (link) => link.direction === "out" && link.relation === "derived_from";

function Source({ memory, links }) {
  const from = (links.value?.items ?? []).filter(isSource);
  return html`<${Facts} of=${{
    Origin: memory.origin,
    Trust: memory.trust,
    Speaker: memory.speaker,
    User: memory.user_id,
    Agent: memory.agent_id,
    Session: memory.session_id && html`<a href=${href("memories", { ns: memory.namespace, session_id: memory.session_id })}>${memory.session_id}</a>`,
    "External id": memory.external_id,
    "Made out of": from.length > 0 && html`<ul class="plain">${from.slice(0, SHOWN).map((link) => html`<${Linked} key=${link.memory_id} id=${link.memory_id} />`)}</ul>`,
    "Merged into": memory.merged_into && html`<${MemoryLink} id=${memory.merged_into} />`,
    Source: memory.source && Object.keys(memory.source).length > 0 && html`<${Json} of=${memory.source} />`,
  }} />`;
}

// The words of a memory that a link leads to.
function Linked({ id, before }) {
  const answer = useAnswer((signal) => get(`v1/memories/${id}`, {}, signal), [id]);
  return html`<li>${before} <${MemoryLink} id=${id}>${answer.value ? shortened(answer.value.content) : undefined}<//></li>`;
}

const shortened = (text) => (text.length > 120 ? `${text.slice(0, 120)}…` : text);

const About = ({ memory }) => html`<${Facts} of=${{
  Namespace: html`<a href=${href("namespace", { ns: memory.namespace })}>${memory.namespace}</a>`,
  Happened: memory.occurred_at && html`<${Time} at=${memory.occurred_at} relative />`,
  Place: memory.place,
  "True from": memory.valid_from && html`<${Time} at=${memory.valid_from} />`,
  "True until": memory.valid_to && html`<${Time} at=${memory.valid_to} />`,
  Recorded: html`<${Time} at=${memory.recorded_at} relative />`,
  Changed: html`<${Time} at=${memory.updated_at} relative />`,
  Expires: memory.expires_at && html`<${Time} at=${memory.expires_at} relative />`,
  Importance: memory.importance,
  Used: memory.recall_count > 0 ? html`${memory.recall_count} times, last <${Time} at=${memory.last_recalled_at} relative />` : "never",
  Outcome: memory.outcome,
  Language: memory.language,
  Version: memory.version,
  Metadata: Object.keys(memory.metadata).length > 0 && html`<${Json} of=${memory.metadata} />`,
  Id: html`<code class="id">${memory.id}</code>`,
}} />`;


function Links({ items }) {
  if (items.length === 0) return html`<${Empty}>No other active memory is linked to it.<//>`;
  return html`<ul class="plain">${items.slice(0, SHOWN).map((link) => html`<${Linked} key=${`${link.relation}${link.direction}${link.memory_id}`} id=${link.memory_id} before=${html`<span class="relation">${link.direction === "in" ? "← " : ""}${words(link.relation)}${link.direction === "out" ? " →" : ""}</span>`} />`)}</ul>
    ${items.length > SHOWN && html`<p class="muted">and ${items.length - SHOWN} more</p>`}`;
}

const COMPARED = ["kind", "state", "importance", "trust", "occurred_at", "valid_from", "valid_to", "tags", "flags", "metadata"];

function History({ versions }) {
  const shown = versions.map((version, at) => [version, versions[at - 1]]).reverse();
  return html`<ol class="history">${shown.map(([version, before]) => html`<li key=${version.version}>
    <p><b>Version ${version.version}</b> · ${words(version.reason)} by ${version.writer} · <${Time} at=${version.recorded_from} />${version.recorded_to && html` to <${Time} at=${version.recorded_to} />`}</p>
    ${(before === undefined || before.content !== version.content) && html`<p class="text">${version.content}</p>`}
    <${Changes} version=${version} before=${before} />
  </li>`)}</ol>`;
}

function Changes({ version, before }) {
  if (before === undefined) return null;
  const changed = COMPARED.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(version[name]));
  if (changed.length === 0) return null;
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return html`<ul class="plain changes">${changed.map((name) => html`<li key=${name}>${words(name)}: <del>${text(before[name])}</del> <ins>${text(version[name])}</ins></li>`)}</ul>`;
}
