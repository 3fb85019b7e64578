// Who and what the memories mention, and whom together with whom.
import { html, useState } from "../html.js";
import { get } from "../api.js";
import { useAnswer, usePages } from "../asking.js";
import { count, percent, plural } from "../format.js";
import { Graph } from "../graph.js";
import { Answer, Badge, Empty, Heading, MemoryLink, More, NeedsNamespace, Refusal } from "../parts.js";
import { href } from "../route.js";

const PAGE = 50;
const BESIDE = 24;

export default function Entities({ params: { ns, id } }) {
  const pages = usePages((cursor, signal) => (ns ? get("v1/entities", { namespace: ns, limit: PAGE, cursor }, signal) : Promise.resolve({ items: [], next_cursor: null })), [ns]);
  const [part, setPart] = useState("");
  const chosen = id ?? pages.items[0]?.id;
  const graph = useAnswer((signal) => (chosen ? get(`v1/entities/${chosen}/graph`, { namespace: ns, limit: BESIDE }, signal) : null), [ns, chosen]);
  if (!ns) return html`<${Heading}>Entities<//><${NeedsNamespace} />`;
  const shown = pages.items.filter((one) => one.aliases.some((alias) => alias.name.toLowerCase().includes(part.toLowerCase())));
  return html`<${Heading}>Entities<//>
    ${pages.problem && html`<${Refusal} problem=${pages.problem} needs="read" again=${pages.again} />`}
    ${pages.done && pages.items.length === 0 && !pages.problem && html`<${Empty}>No active memory mentions a name.<//>`}
    ${pages.items.length > 0 && html`<div class="split">
      <section aria-label="Entities by memories"><form class="filters" onSubmit=${(event) => event.preventDefault()}><label class="field" for="name"><span>Name, of those listed</span><input id="name" type="search" data-search value=${part} onInput=${(event) => setPart(event.target.value)} /></label></form>
        <ol class="picks">${shown.map((one) => html`<li key=${one.id}><a data-row href=${href("entities", { ns, id: one.id })} aria-current=${one.id === chosen ? "true" : undefined}><span>${one.name}</span><span class="muted">${count(one.memories)}</span></a></li>`)}</ol>
        <${More} pages=${pages} noun="entities" /></section>
      <section aria-label="Graph"><${Answer} answer=${graph} needs="read">${(value) => html`<${Around} graph=${value} ns=${ns} />`}<//></section>
    </div>`}`;
}

function Around({ graph: { entities, links }, ns }) {
  const [chosen] = entities;
  const nameOf = new Map(entities.map((one) => [one.id, one.name]));
  const own = links.filter((link) => link.one === chosen.id || link.other === chosen.id).sort((a, b) => b.memories - a.memories);
  const others = chosen.aliases.slice(1);
  return html`<h2 aria-live="polite">${chosen.name} <span class="muted">in ${plural(chosen.memories, "memory", "memories")}</span></h2>
    ${others.length > 0 && html`<p>Also ${others.map((alias, at) => html`${at > 0 && ", "}<b>${alias.name}</b> <span class="muted">${count(alias.memories)}</span>`)}. ${chosen.decided ? "Somebody decided so." : `Held for one with confidence ${percent(chosen.confidence)}.`}</p>`}
    ${chosen.ties.length > 0 && html`<details class="block"><summary>Why these names are held for one</summary><ul class="plain">${chosen.ties.map((tie) => html`<li key=${`${tie.one} ${tie.other}`}>${tie.one} = ${tie.other} <${Badge}>${tie.rule}<//> ${percent(tie.confidence)} ${tie.told_by.slice(0, 4).map((id) => html`<${MemoryLink} key=${id} id=${id} /> `)}</li>`)}</ul></details>`}
    ${entities.length > 1 ? html`<${Graph} entities=${entities} links=${links} ns=${ns} />` : html`<${Empty}>No memory mentions it together with another one.<//>`}
    ${own.length > 0 && html`<div class="wide"><table><caption>Mentioned together with ${chosen.name}</caption>
      <thead><tr><th scope="col">Entity</th><th scope="col" class="number">Memories</th><th scope="col">Newest</th></tr></thead>
      <tbody>${own.map((link) => {
        const other = link.one === chosen.id ? link.other : link.one;
        return html`<tr key=${other}><th scope="row"><a href=${href("entities", { ns, id: other })}>${nameOf.get(other)}</a></th><td class="number">${count(link.memories)}</td><td>${link.memory_ids.slice(0, 3).map((id) => html`<${MemoryLink} key=${id} id=${id} /> `)}</td></tr>`;
      })}</tbody></table></div>`}`;
}
