// One erasure and its receipt.
import { html, useState } from "../html.js";
import { get, post } from "../api.js";
import { useAnswer } from "../asking.js";
import { Answer, Badge, Facts, Heading, Json, Pairs, Refusal, Time } from "../parts.js";
import { href } from "../route.js";
import { Verdict } from "./erasures.js";

export default function Erasure({ params: { id } }) {
  const answer = useAnswer((signal) => get(`v1/erasures/${encodeURIComponent(id)}`, {}, signal), [id]);
  return html`<${Heading}>Erasure<//>
    <${Answer} answer=${answer} needs="erase">${(one) => html`
      <p class="summary"><${Badge}>${one.state}<//> <${Pairs} of=${one.counts} /></p>
      <${Facts} of=${{
        Asked: html`<${Time} at=${one.asked_at} relative /> by ${one.asked_by}`,
        Namespaces: one.namespaces.join(", ") || "all in reach of the key",
        Begun: one.started_at && html`<${Time} at=${one.started_at} />`,
        Ended: one.ended_at && html`<${Time} at=${one.ended_at} />`,
        "Bytes overwritten": one.overwritten_at ? html`<${Time} at=${one.overwritten_at} />` : one.overwriting,
        Problem: one.problem,
      }} />
      ${one.receipt ? html`<${Receipt} receipt=${one.receipt} />` : html`<p class="muted">There is a receipt once it has ended.</p>`}`}<//>
    <p><a href=${href("erasures")}>All erasures</a></p>`;
}

function Receipt({ receipt }) {
  const [state, setState] = useState({});
  const verify = () => post("v1/erasures:verify", { receipt }).then((verdict) => setState({ verdict }), (problem) => setState({ problem }));
  const save = () => {
    const link = document.createElement("a");
    const url = URL.createObjectURL(new Blob([JSON.stringify(receipt, null, 2)], { type: "application/json" }));
    Object.assign(link, { href: url, download: `receipt-${receipt.erasure_id}.json` });
    link.click();
    URL.revokeObjectURL(url);
  };
  return html`<h2>Receipt</h2>
    <p>It shows without any content that the memories are gone: a keyed digest of each id, signed.</p>
    <p class="buttons"><button type="button" class="strong" onClick=${verify}>Verify</button> <button type="button" onClick=${save}>Save</button></p>
    ${state.problem && html`<${Refusal} problem=${state.problem} needs="erase" />`}
    ${state.verdict && html`<${Verdict} of=${state.verdict} />`}
    <${Json} of=${receipt} />`;
}
