// One run: how far it is, what it did or would do to each memory and why, and a way to take it back.
import { html, useEffect, useState } from "../html.js";
import { get, post } from "../api.js";
import { useAnswer, usePages } from "../asking.js";
import { words } from "../format.js";
import { Answer, Badge, Confirm, Empty, Facts, Heading, Json, More, Pairs, Refusal, Time } from "../parts.js";
import { go, href } from "../route.js";

const PAGE = 100;
const FEW = 20; // memories whose words are asked for, one by one
const POLL_MS = 1000;
const FINAL = new Set(["expire", "reembed"]); // what nothing takes back
const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export default function Run({ params: { id, ns } }) {
  const answer = useAnswer((signal) => get(`v1/job-runs/${encodeURIComponent(id)}`, {}, signal), [id]);
  const run = answer.value;
  const isOver = run !== undefined && ENDED.has(run.state);
  useEffect(() => {
    if (run === undefined || isOver) return undefined;
    const timer = setTimeout(answer.again, POLL_MS);
    return () => clearTimeout(timer);
  }, [run]);
  return html`<${Heading}>${run ? `Run of ${run.kind}` : "Run"}<//>
    <${Answer} answer=${answer} needs="read">${(value) => html`
      <${Head} run=${value} onChange=${answer.again} />
      <h2>${value.dry_run ? "What it would do" : "What it did"}</h2>
      <${Effects} key=${`${value.id} ${value.state}`} run=${value} />
      <p><a href=${href("runs", { ns: ns ?? value.namespace })}>All runs of ${value.namespace}</a></p>`}<//>`;
}

function Head({ run, onChange }) {
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState(null);
  const act = async (verb) => {
    setAsking(false);
    setProblem(null);
    try {
      const answer = await post(`v1/job-runs/${run.id}:${verb}`);
      if (answer.id === run.id) onChange();
      else go("run", { id: answer.id, ns: run.namespace });
    } catch (refusal) {
      setProblem(refusal);
    }
  };
  const isOver = ENDED.has(run.state);
  const canUndo = isOver && !run.dry_run && run.undoes === null && !FINAL.has(run.kind);
  return html`<p class="summary" role="status">${run.undoes && html`<b>Undo</b> `}${run.dry_run && html`<${Badge}>dry run<//>`} <${Badge}>${run.state}<//> <${Pairs} of=${run.counts} /></p>
    <p class="buttons">${canUndo && html`<button type="button" class="strong" onClick=${() => setAsking(true)}>Undo</button>`}
      ${!isOver && html`<button type="button" onClick=${() => act("cancel")}>Cancel</button>`}
      ${run.dry_run && isOver && html`<span class="muted">Nothing was changed.</span>`}</p>
    ${problem && html`<${Refusal} problem=${problem} needs="write" />`}
    ${isAsking && html`<${Confirm} title="Take this run back?" verb="Undo it" onYes=${() => act("undo")} onNo=${() => setAsking(false)}>
      <p>Each memory becomes what it was before, unless it was changed since. What the run made is erased.</p><//>`}
    <${Facts} of=${{
      Namespace: html`<a href=${href("namespace", { ns: run.namespace })}>${run.namespace}</a>`,
      Asked: html`<${Time} at=${run.asked_at} relative /> by ${run.asked_by}`,
      Begun: run.started_at && html`<${Time} at=${run.started_at} />`,
      Ended: run.ended_at && html`<${Time} at=${run.ended_at} />`,
      "Back to": run.as_of && html`<${Time} at=${run.as_of} />`,
      Undoes: run.undoes && html`<a href=${href("run", { id: run.undoes, ns: run.namespace })}>an earlier run</a>`,
      Problem: run.problem,
      Report: run.report && html`<${Json} of=${run.report} />`,
    }} />`;
}

function Effects({ run }) {
  const pages = usePages((cursor, signal) => get(`v1/job-runs/${run.id}/effects`, { limit: PAGE, cursor }, signal), [run.id]);
  const { items, done, problem } = pages;
  if (problem) return html`<${Refusal} problem=${problem} needs="read" again=${pages.again} />`;
  if (done && items.length === 0) return html`<${Empty}>${ENDED.has(run.state) ? "To no memory anything." : "Nothing yet."}<//>`;
  return html`${items.length > 0 && html`<div class="wide"><table class="cards"><caption class="hidden">Effects by memory</caption>
      <thead><tr><th scope="col">Memory</th><th scope="col">Action</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Why</th></tr></thead>
      <tbody>${items.map((one, at) => html`<tr key=${`${one.memory_id} ${at}`}><th scope="row"><${Words} id=${one.memory_id} isAsked=${at < FEW} /></th><td data-name="Action"><${Badge}>${words(one.action)}<//></td>
        <td data-name="Before"><${Pairs} of=${one.before} /></td><td data-name="After"><${Pairs} of=${one.after} /></td><td data-name="Why"><${Pairs} of=${one.why} /></td></tr>`)}</tbody></table></div>`}
    <${More} pages=${pages} noun=${items.length === 1 ? "memory" : "memories"} />`;
}

// The first words of a memory; its id where it is out of reads, or stands far down.
function Words({ id, isAsked }) {
  const answer = useAnswer((signal) => (isAsked ? get(`v1/memories/${id}`, {}, signal) : null), [id]);
  const text = answer.value?.content;
  return html`<a data-row class=${text ? "" : "id"} href=${href("memory", { id })} title=${id}>${text ? (text.length > 70 ? `${text.slice(0, 70)}…` : text) : id.slice(-12)}</a>`;
}
