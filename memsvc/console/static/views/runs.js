// What jobs did to a namespace, and a way to see what one would do before it does anything.
import { html, useRef, useState } from "../html.js";
import { get, post } from "../api.js";
import { usePages } from "../asking.js";
import { Badge, Confirm, Empty, Heading, More, NeedsNamespace, Pairs, Refusal, Time } from "../parts.js";
import { go, href } from "../route.js";

const PAGE = 50;
const KINDS = {
  fade: "moves memories between levels as their retention falls or rises",
  conflict: "finds memories that newer ones outdate",
  merge: "hides repeats behind one memory",
  consolidate: "makes gists, facts and procedures out of episodes",
  surprise: "says how unlike everything before it a memory was",
  evict: "archives the least useful memories over a quota",
  expire: "erases what is past its time",
  rewind: "brings the namespace back to a moment",
};

export default function Runs({ params: { ns } }) {
  const pages = usePages((cursor, signal) => (ns ? get("v1/job-runs", { namespace: ns, limit: PAGE, cursor }, signal) : Promise.resolve({ items: [], next_cursor: null })), [ns]);
  if (!ns) return html`<${Heading}>Lifecycle<//><${NeedsNamespace} />`;
  return html`<${Heading}>Lifecycle<//>
    <${Begin} ns=${ns} />
    ${pages.problem && html`<${Refusal} problem=${pages.problem} needs="read" again=${pages.again} />`}
    ${pages.done && pages.items.length === 0 && !pages.problem && html`<${Empty}>No job has ever run here.<//>`}
    ${pages.items.length > 0 && html`<div class="wide"><table class="cards"><caption class="hidden">Runs, the newest first</caption>
      <thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">Asked</th><th scope="col">By</th><th scope="col">What it did</th></tr></thead>
      <tbody>${pages.items.map((run) => html`<tr key=${run.id}><th scope="row"><a data-row href=${href("run", { id: run.id, ns })}>${run.undoes ? `undo of ${run.kind}` : run.kind}</a>${run.dry_run && html` <${Badge}>dry run<//>`}</th>
        <td data-name="State"><${Badge}>${run.state}<//></td><td data-name="Asked"><${Time} at=${run.asked_at} /></td><td data-name="By">${run.asked_by}</td><td data-name="What it did"><${Pairs} of=${run.counts} /></td></tr>`)}</tbody></table></div>`}
    <${More} pages=${pages} noun="runs" />`;
}

function Begin({ ns }) {
  const form = useRef(null);
  const [kind, setKind] = useState("fade");
  const [asked, setAsked] = useState(null);
  const [problem, setProblem] = useState(null);
  const begin = async (body) => {
    setAsked(null);
    try {
      go("run", { id: (await post("v1/job-runs", body)).id, ns });
    } catch (refusal) {
      setProblem(refusal);
    }
  };
  const submit = (event) => {
    event.preventDefault();
    const { as_of, dry_run } = Object.fromEntries(new FormData(form.current));
    const moment = kind === "rewind" && as_of ? { as_of: new Date(as_of).toISOString() } : {};
    const body = { namespace: ns, kind, dry_run: dry_run === "yes", ...moment };
    setProblem(null);
    if (body.dry_run) begin(body);
    else setAsked(body);
  };
  return html`<form ref=${form} class="filters" onSubmit=${submit} aria-label="Run a job">
    <label class="field" for="kind"><span>Job</span><select id="kind" data-search value=${kind} onChange=${(event) => setKind(event.target.value)}>${Object.keys(KINDS).map((one) => html`<option key=${one}>${one}</option>`)}</select></label>
    ${kind === "rewind" && html`<label class="field" for="as_of"><span>Back to</span><input id="as_of" name="as_of" type="datetime-local" required /></label>`}
    <label class="field" for="dry_run"><span>How</span><select id="dry_run" name="dry_run"><option value="yes">only say what it would do</option><option value="no">do it</option></select></label>
    <button class="strong">Run</button>
    <p class="muted hint">${kind} ${KINDS[kind]}.</p>
    ${problem && html`<${Refusal} problem=${problem} needs="write" />`}
    ${asked && html`<${Confirm} title=${`Run ${kind} on ${ns}?`} verb="Run it" onYes=${() => begin(asked)} onNo=${() => setAsked(null)}>
      <p>It ${KINDS[kind]}. ${kind === "expire" ? html`<b>What it erases cannot be brought back.</b>` : "It can be undone for 30 days."}</p><//>`}
  </form>`;
}
