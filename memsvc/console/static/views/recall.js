// A question and what it finds: which channel found each hit, at which rank, and where the time went.
import { html, useEffect, useRef, useState } from "../html.js";
import { post } from "../api.js";
import { ms, percent, plural, words } from "../format.js";
import { Badge, Busy, Empty, Facts, Heading, Json, NeedsNamespace, Refusal, Retention, Time } from "../parts.js";
import { href } from "../route.js";

const PROFILES = ["balanced", "fast", "thorough"];

export default function Recall({ params: { ns } }) {
  const form = useRef(null);
  const given = useRef(null);
  const [state, setState] = useState({});
  useEffect(() => () => given.current?.abort(), []);
  if (!ns) return html`<${Heading}>Recall<//><${NeedsNamespace} />`;
  const submit = async (event) => {
    event.preventDefault();
    given.current?.abort();
    const mine = (given.current = new AbortController());
    const entered = Object.fromEntries(new FormData(form.current));
    if (!entered.query.trim()) return;
    setState((before) => ({ ...before, busy: true, problem: undefined }));
    try {
      const answer = await post("v1/recall", asked(ns, entered), mine.signal);
      setState({ answer, query: entered.query });
    } catch (problem) {
      if (!mine.signal.aborted) setState({ problem });
    }
  };
  return html`<${Heading}>Recall<//>
    <form ref=${form} class="question" onSubmit=${submit}>
      <label class="hidden" for="query">Question</label>
      <input id="query" name="query" type="search" data-search placeholder=${`Ask ${ns}`} autocomplete="off" required />
      <label class="field" for="profile"><span>Profile</span><select id="profile" name="profile">${PROFILES.map((one) => html`<option key=${one}>${one}</option>`)}</select></label>
      <label class="field" for="top_k"><span>Hits</span><input id="top_k" name="top_k" type="number" min="1" max="100" value="10" /></label>
      <label class="field" for="as_of"><span>As known at</span><input id="as_of" name="as_of" type="datetime-local" /></label>
      <button class="strong">Recall</button>
    </form>
    <div aria-live="polite" class="hidden">${state.answer && !state.busy && plural(state.answer.hits.length, "memory was", "memories were")} ${state.answer && "found"}</div>
    ${state.busy && html`<${Busy} />`}
    ${state.problem && html`<${Refusal} problem=${state.problem} needs="read" />`}
    ${state.answer && html`<${Found} answer=${state.answer} />`}
    ${!state.answer && !state.busy && !state.problem && html`<${Empty}>Ask in plain language. Each hit says which channels found it.<//>`}`;
}

function asked(namespace, { query, profile, top_k, as_of }) {
  const more = as_of ? { as_of: new Date(as_of).toISOString() } : {};
  return { namespace, query, profile, top_k: Number(top_k) || 10, explain: true, ...more };
}

function Found({ answer }) {
  const { hits, explanation } = answer;
  const channels = [...new Set(hits.flatMap((hit) => Object.keys(hit.channels)))].sort();
  return html`<p class="summary" data-answer=${answer.id}>${plural(hits.length, "hit")} in <b>${ms(answer.took_ms)}</b> · confidence <b>${percent(answer.confidence)}</b>
      ${answer.nothing_relevant && html` · <${Badge} tone="warm">nothing relevant<//>`}
      ${answer.degraded.length > 0 && html` · <${Badge} tone="bad">without ${answer.degraded.join(", ")}<//>`}
      <span class="muted"> · ${explanation.eligible} memories were eligible · change ${answer.seq}</span></p>
    ${hits.length === 0 ? html`<${Empty}>Nothing was found.<//>` : html`<ol class="hits">${hits.map((hit) => html`<${Hit} key=${hit.memory.id} hit=${hit} />`)}</ol>`}
    ${hits.length > 0 && html`<details class="block" open><summary>Channels</summary><${Channels} hits=${hits} channels=${channels} /></details>`}
    <details class="block" open><summary>Time</summary><${Times} of=${explanation.timings_ms} /></details>
    ${explanation.question && html`<details class="block"><summary>What was read out of the question</summary><${Read} question=${explanation.question} /></details>`}
    ${explanation.trail?.length > 0 && html`<details class="block"><summary>Further hops</summary><ol>${explanation.trail.map((step) => html`<li key=${step}>${step}</li>`)}</ol></details>`}`;
}

function Hit({ hit: { rank, score, memory, channels } }) {
  const found = Object.entries(channels).filter(([, one]) => one.rank !== null).sort(([, a], [, b]) => a.rank - b.rank);
  return html`<li class="hit"><span class="rank" aria-label=${`rank ${rank}`}>${rank}</span><div>
    <a class="content" data-row href=${href("memory", { id: memory.id, ns: memory.namespace })}>${memory.speaker && html`<b>${memory.speaker}: </b>`}${memory.content}</a>
    <p class="meta"><span title="score">score <b>${score.toFixed(2)}</b></span><${Time} at=${memory.occurred_at ?? memory.recorded_at} /><span>${memory.kind}</span>
      ${memory.level && html`<${Badge}>${memory.level}<//>`}${memory.retention !== null && html`<${Retention} value=${memory.retention} />`}</p>
    <ul class="chips" aria-label="Found by">${found.map(([name, one]) => html`<li key=${name} class=${one.rank === 1 ? "first" : ""}>${words(name)} <b>#${one.rank}</b></li>`)}</ul>
  </div></li>`;
}

function Channels({ hits, channels }) {
  return html`<div class="wide" tabindex="0" role="region" aria-label="Ranks and scores by channel"><table class="matrix">
    <caption>Rank and score of each hit in each channel; a channel that did not list a hit has no rank, and the score that it would have given.</caption>
    <thead><tr><th scope="col">Hit</th>${channels.map((name) => html`<th scope="col" key=${name}>${words(name)}</th>`)}</tr></thead>
    <tbody>${hits.map((hit) => html`<tr key=${hit.memory.id}><th scope="row">${hit.rank}</th>${channels.map((name) => html`<${Cell} key=${name} of=${hit.channels[name]} />`)}</tr>`)}</tbody>
  </table></div>`;
}

function Cell({ of }) {
  if (of === undefined) return html`<td></td>`;
  return html`<td class=${of.rank === 1 ? "first" : ""}>${of.rank === null ? html`<span class="muted">–</span>` : html`<b>#${of.rank}</b>`} <span class="muted">${of.score.toFixed(2)}</span></td>`;
}

function Times({ of }) {
  const steps = Object.entries(of).sort(([, a], [, b]) => b - a);
  const most = Math.max(...steps.map(([, took]) => took), 0.001);
  return html`<dl class="times">${steps.map(([name, took]) => html`<div key=${name}><dt>${words(name)}</dt><dd><span class="trough" aria-hidden="true"><span style=${{ width: `${(100 * took) / most}%` }}></span></span>${ms(took)}</dd></div>`)}</dl>`;
}

function Read({ question }) {
  const told = Object.entries(question).filter(([, value]) => value !== null && value !== false && value !== "" && !(Array.isArray(value) && value.length === 0));
  const shown = (value) => (typeof value === "object" ? html`<${Json} of=${value} />` : String(value));
  return html`<${Facts} of=${Object.fromEntries(told.map(([name, value]) => [words(name), shown(value)]))} />`;
}
