// What was erased for good, the newest first; and whether a receipt holds.
import { html, useState } from "../html.js";
import { get, post } from "../api.js";
import { usePages } from "../asking.js";
import { Badge, Empty, Heading, More, Pairs, Refusal, Time } from "../parts.js";
import { href } from "../route.js";

const PAGE = 50;

export default function Erasures() {
  const pages = usePages((cursor, signal) => get("v1/erasures", { limit: PAGE, cursor }, signal), []);
  return html`<${Heading}>Erasures<//>
    <${Verify} />
    ${pages.problem && html`<${Refusal} problem=${pages.problem} needs="erase" again=${pages.again} />`}
    ${pages.done && pages.items.length === 0 && !pages.problem && html`<${Empty}>Nothing was ever erased.<//>`}
    ${pages.items.length > 0 && html`<div class="wide"><table class="cards"><caption class="hidden">Erasures, the newest first</caption>
      <thead><tr><th scope="col">Asked</th><th scope="col">State</th><th scope="col">By</th><th scope="col">Namespaces</th><th scope="col">Counts</th><th scope="col">Bytes overwritten</th></tr></thead>
      <tbody>${pages.items.map((one) => html`<tr key=${one.id}><th scope="row"><a data-row href=${href("erasure", { id: one.id })}><${Time} at=${one.asked_at} /></a></th>
        <td data-name="State"><${Badge}>${one.state}<//></td><td data-name="By">${one.asked_by}</td><td data-name="Namespaces">${one.namespaces.length > 0 ? one.namespaces.join(", ") : html`<span class="muted">all in reach</span>`}</td>
        <td data-name="Counts"><${Pairs} of=${one.counts} /></td><td data-name="Bytes overwritten">${one.overwritten_at ? html`<${Time} at=${one.overwritten_at} />` : html`<span class="muted">${one.overwriting ?? "–"}</span>`}</td></tr>`)}</tbody></table></div>`}
    <${More} pages=${pages} noun="erasures" />`;
}

function Verify() {
  const [state, setState] = useState({});
  const check = async (event) => {
    const [file] = event.target.files;
    if (file === undefined) return;
    try {
      const read = JSON.parse(await file.text());
      setState({ verdict: await post("v1/erasures:verify", { receipt: read.receipt ?? read }) });
    } catch (error) {
      setState(error instanceof SyntaxError ? { wrong: "That file holds no JSON." } : { problem: error });
    }
  };
  return html`<form class="filters" aria-label="Verify a receipt"><label class="field" for="receipt"><span>Verify a receipt (a JSON file)</span><input id="receipt" type="file" accept="application/json,.json" data-search onChange=${check} /></label>
    ${state.wrong && html`<p class="refusal" role="alert">${state.wrong}</p>`}
    ${state.problem && html`<${Refusal} problem=${state.problem} needs="erase" />`}
    ${state.verdict && html`<${Verdict} of=${state.verdict} />`}</form>`;
}

export function Verdict({ of: { holds, genuine, back, without_tombstone } }) {
  return html`<p role="status"><${Badge} tone=${holds ? "good" : "bad"}>${holds ? "holds" : "does not hold"}<//>
    ${genuine ? "The receipt is genuine" : "This service did not sign it"}; ${back} of its memories are back, ${without_tombstone} have no tombstone.</p>`;
}
