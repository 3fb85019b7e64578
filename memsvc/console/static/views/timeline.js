// What happened in a span of time, day by day: by when it happened, else by when it was recorded.
import { html, useMemo, useState } from "../html.js";
import { get } from "../api.js";
import { useAnswer } from "../asking.js";
import { axes, Chart } from "../chart.js";
import { clock, count, day, plural } from "../format.js";
import { Answer, Badge, Busy, Empty, Heading, NeedsNamespace } from "../parts.js";
import { amend, href } from "../route.js";

const PAGE = 200;
const PAGES = 5; // of one span; beyond, the visitor looks closer
const SPANS = [["1", "a day"], ["7", "a week"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"]];
const DAY_MS = 86_400_000;

export default function Timeline({ params }) {
  const { ns } = params;
  const [days, setDays] = useState(params.days ?? "30");
  const [end, setEnd] = useState(params.end ?? "");
  const newest = useAnswer((signal) => (ns && !end ? get("v1/memories", { namespace: ns, limit: 50 }, signal) : null), [ns, end]);
  const until = end || (newest.value && day(lastDay(newest.value.items)));
  const answer = useAnswer((signal) => (ns && until ? within(ns, until, Number(days), signal) : null), [ns, until, days]);
  if (!ns) return html`<${Heading}>Timeline<//><${NeedsNamespace} />`;
  const show = (next, span) => {
    setEnd(next);
    setDays(span);
    amend("timeline", { ns, end: next, days: span });
  };
  const shift = (by) => show(day(new Date(midnight(until).getTime() + by * Number(days) * DAY_MS + DAY_MS / 2)), days);
  return html`<${Heading}>Timeline<//>
    <form class="filters" aria-label="Span of time" onSubmit=${(event) => event.preventDefault()}>
      <label class="field" for="days"><span>Span</span><select id="days" data-search onChange=${(event) => show(until, event.target.value)}>${SPANS.map(([value, name]) => html`<option key=${value} value=${value} selected=${value === days}>${name}</option>`)}</select></label>
      <label class="field" for="end"><span>Up to and with</span><input id="end" type="date" value=${until} onChange=${(event) => event.target.value && show(event.target.value, days)} /></label>
      <span class="buttons"><button type="button" disabled=${!until} onClick=${() => shift(-1)}>← Earlier</button> <button type="button" disabled=${!until} onClick=${() => shift(1)}>Later →</button></span>
    </form>
    ${!until && newest.busy && html`<${Busy} />`}
    ${newest.problem && html`<${Answer} answer=${newest} needs="read" />`}
    <${Answer} answer=${answer} needs="read">${(found) => html`<${Days} found=${found} days=${Number(days)} until=${until} ns=${ns} onDay=${(one) => show(one, "1")} />`}<//>`;
}

const at = (memory) => memory.occurred_at ?? memory.recorded_at;
// The last of what was recorded last, so that one sees something.
const lastDay = (items) => (items.length > 0 ? new Date(items.map(at).sort().at(-1)) : new Date());
const midnight = (text) => new Date(`${text}T00:00`);

async function within(namespace, until, days, signal) {
  const end = new Date(midnight(until).getTime() + DAY_MS);
  const range = { gte: new Date(end - days * DAY_MS).toISOString(), lt: end.toISOString() };
  const filter = JSON.stringify({ or: [{ occurred_at: range }, { and: [{ occurred_at: { exists: false } }, { recorded_at: range }] }] });
  const items = [];
  let cursor;
  for (let page = 0; page < PAGES && cursor !== null; page += 1) {
    const found = await get("v1/memories", { namespace, filter, limit: PAGE, cursor }, signal);
    items.push(...found.items);
    cursor = found.next_cursor;
  }
  return { items: items.sort((a, b) => (at(a) < at(b) ? 1 : -1)), isWhole: cursor === null };
}

function Days({ found: { items, isWhole }, days, until, ns, onDay }) {
  const byDay = useMemo(() => grouped(items), [items]);
  if (items.length === 0) return html`<${Empty}>Nothing happened or was recorded in this span.<//>`;
  return html`<p class="summary" role="status">${plural(items.length, "memory", "memories")} on ${plural(byDay.size, "day")}
      ${!isWhole && html` · <${Badge} tone="warm">the span holds more than ${count(PAGE * PAGES)}: choose a shorter one<//>`}</p>
    ${days > 1 && html`<${Bars} byDay=${byDay} days=${days} until=${until} />`}
    <ol class="days">${[...byDay].map(([one, memories]) => html`<li key=${one}>
      <h2>${days > 1 ? html`<button type="button" class="plain" onClick=${() => onDay(one)}>${one}</button>` : one} <span class="muted">${count(memories.length)}</span></h2>
      <ol>${memories.slice(0, days > 1 ? 8 : undefined).map((memory) => html`<li key=${memory.id}><a data-row href=${href("memory", { id: memory.id, ns })}>
        <time datetime=${at(memory)}>${memory.occurred_at === null ? "rec. " : ""}${clock(new Date(at(memory)))}</time>
        <span>${memory.speaker && html`<b>${memory.speaker}: </b>`}${memory.content}</span></a></li>`)}</ol>
      ${days > 1 && memories.length > 8 && html`<p class="muted">and <button type="button" class="plain" onClick=${() => onDay(one)}>${count(memories.length - 8)} more</button></p>`}
    </li>`)}</ol>`;
}

function grouped(items) {
  const found = new Map();
  for (const memory of items) {
    const one = day(new Date(at(memory)));
    found.set(one, [...(found.get(one) ?? []), memory]);
  }
  return found;
}

function Bars({ byDay, days, until }) {
  const data = useMemo(() => {
    const last = midnight(until).getTime() + DAY_MS / 2;
    const places = Array.from({ length: days }, (_, i) => last - (days - 1 - i) * DAY_MS);
    return [places.map((one) => one / 1000), places.map((one) => byDay.get(day(new Date(one)))?.length ?? null)];
  }, [byDay]);
  const options = (colour, Plot) => ({
    cursor: { show: false },
    scales: { x: { range: (plot, least, most) => [least - DAY_MS / 2000, most + DAY_MS / 2000] }, y: { range: (plot, least, most) => [0, Math.max(1, most)] } },
    axes: axes(colour),
    series: [{}, { stroke: colour("--accent"), fill: colour("--accent-wash"), width: 1, paths: Plot.paths.bars({ size: [0.8, 60] }), points: { show: false } }],
  });
  return html`<${Chart} options=${options} data=${data} height=${140} label="Memories for each day; the list below has the same" />`;
}
