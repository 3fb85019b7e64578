// The trail of what somebody may have to answer for, and whether it is whole.
import { html, useRef, useState } from "../html.js";
import { get, post } from "../api.js";
import { usePages } from "../asking.js";
import { count } from "../format.js";
import { Badge, Empty, Heading, More, Pairs, Refusal, Time } from "../parts.js";

const PAGE = 100;
const KINDS = ["key", "erasure", "policy", "run", "export", "import", "revocation", "memory", "denied", "admin"];

export default function Audit() {
  const form = useRef(null);
  const [asked, setAsked] = useState({});
  const pages = usePages((cursor, signal) => get("v1/audit", { ...asked, limit: PAGE, cursor }, signal), [asked]);
  const apply = () => {
    const { kind, since, until } = Object.fromEntries(new FormData(form.current));
    const moment = (text) => (text ? new Date(text).toISOString() : "");
    setAsked({ kind, since: moment(since), until: moment(until) });
  };
  return html`<${Heading}>Audit<//>
    <form ref=${form} class="filters" onSubmit=${(event) => event.preventDefault()} onChange=${apply} aria-label="Filter">
      <label class="field" for="kind"><span>Kind</span><select id="kind" name="kind" data-search><option value="">all</option>${KINDS.map((one) => html`<option key=${one}>${one}</option>`)}</select></label>
      <label class="field" for="since"><span>From</span><input id="since" name="since" type="datetime-local" /></label>
      <label class="field" for="until"><span>Before</span><input id="until" name="until" type="datetime-local" /></label>
    </form>
    ${!pages.problem && html`<${Whole} />`}
    ${pages.problem && html`<${Refusal} problem=${pages.problem} needs="admin" again=${pages.again} />`}
    ${pages.done && pages.items.length === 0 && !pages.problem && html`<${Empty}>No entry fits.<//>`}
    ${pages.items.length > 0 && html`<div class="wide"><table class="cards"><caption class="hidden">Entries, the oldest first</caption>
      <thead><tr><th scope="col" class="number">Entry</th><th scope="col">When</th><th scope="col">Kind</th><th scope="col">Who</th><th scope="col">Subject</th><th scope="col">Facts</th></tr></thead>
      <tbody>${pages.items.map((one) => html`<tr key=${one.seq}><th scope="row" class="number">${count(one.seq)}</th><td data-name="When"><${Time} at=${one.at} /></td><td data-name="Kind"><${Badge} tone=${one.kind === "denied" ? "bad" : ""}>${one.kind}<//></td>
        <td data-name="Who">${one.actor}</td><td data-name="Subject">${one.subject ? html`<code class="id" title=${one.subject}>${one.subject.slice(-12)}</code>` : html`<span class="muted">–</span>`}</td><td data-name="Facts"><${Pairs} of=${one.facts} /></td></tr>`)}</tbody></table></div>`}
    <${More} pages=${pages} noun="entries, the oldest first" />`;
}

function Whole() {
  const [state, setState] = useState({});
  const verify = () => post("v1/audit:verify", {}).then((verdict) => setState({ verdict }), (problem) => setState({ problem }));
  const { verdict } = state;
  return html`<p class="buttons"><button type="button" onClick=${verify}>Verify the whole trail</button>
    ${verdict && html`<span role="status"><${Badge} tone=${verdict.holds ? "good" : "bad"}>${verdict.holds ? "holds" : `broken at ${verdict.broken_seq}`}<//> ${count(verdict.entries)} entries${verdict.problem ? `: ${verdict.problem}` : ""}</span>`}</p>
    ${state.problem && html`<${Refusal} problem=${state.problem} needs="admin" />`}`;
}
