// The fields of a filter, and the filter that they make (docs/filters.md).
import { html, useRef, useState } from "./html.js";

const KINDS = ["episodic", "semantic", "procedural"];
const STATES = ["active", "archived", "superseded", "merged", "forgotten", "quarantined", "any"];
const TEXTS = [["tag", "Tag"], ["user_id", "User"], ["session_id", "Session"], ["speaker", "Speaker"], ["external_id", "External id"], ["origin", "Origin"]];

export const FIELDS = ["kind", "state", "derived", "since", "until", "importance", ...TEXTS.map(([name]) => name), "json"];

// The filter as the API takes it, or null. Raises SyntaxError where `json` is none.
export function composed(values) {
  const parts = [];
  if (values.kind) parts.push({ kind: values.kind });
  if (values.state) parts.push({ state: values.state === "any" ? { exists: true } : values.state });
  if (values.derived) parts.push({ derived: { exists: values.derived === "yes" } });
  if (values.since) parts.push({ recorded_at: { gte: new Date(values.since).toISOString() } });
  if (values.until) parts.push({ recorded_at: { lt: new Date(values.until).toISOString() } });
  if (values.importance) parts.push({ importance: { gte: Number(values.importance) } });
  for (const [name] of TEXTS) if (values[name]) parts.push({ [name === "tag" ? "tags" : name]: values[name] });
  if (values.json) parts.push(JSON.parse(values.json));
  return parts.length > 1 ? { and: parts } : (parts[0] ?? null);
}

export function FilterForm({ values, onApply }) {
  const form = useRef(null);
  const [wrong, setWrong] = useState("");
  const apply = (event) => {
    event?.preventDefault();
    const entered = Object.fromEntries([...new FormData(form.current)].filter(([, value]) => value !== ""));
    try {
      composed(entered);
    } catch (error) {
      setWrong(`This is no JSON: ${error.message}`);
      return;
    }
    setWrong("");
    onApply(entered);
  };
  const clear = () => {
    form.current.querySelectorAll("input, textarea").forEach((field) => (field.value = ""));
    form.current.querySelectorAll("select").forEach((field) => (field.selectedIndex = 0));
    apply();
  };
  const number = FIELDS.filter((name) => values[name]).length;
  const isMore = [...TEXTS.map(([name]) => name), "importance", "since", "until", "json"].some((name) => values[name]);
  return html`<form ref=${form} class="filters" onSubmit=${apply} aria-label="Filter">
    <${Choice} name="kind" label="Kind" value=${values.kind} options=${["", ...KINDS]} onChange=${apply} search />
    <${Choice} name="state" label="State" value=${values.state} options=${["", ...STATES]} empty="active" onChange=${apply} />
    <${Choice} name="derived" label="Made" value=${values.derived} options=${["", "no", "yes"]} empty="either way" names=${{ no: "by somebody", yes: "by a job" }} onChange=${apply} />
    <${Choice} name="order" label="Order" value=${values.order} options=${["", "oldest"]} empty="newest first" names=${{ oldest: "oldest first" }} onChange=${apply} />
    <details open=${isMore}><summary>More${number > 0 ? ` (${number} set)` : ""}</summary><div class="fields">
      ${TEXTS.map(([name, label]) => html`<${Field} key=${name} name=${name} label=${label} value=${values[name]} />`)}
      <${Field} name="importance" label="Importance from" value=${values.importance} type="number" min="0" max="1" step="0.05" />
      <${Field} name="since" label="Recorded from" value=${values.since} type="datetime-local" />
      <${Field} name="until" label="Recorded before" value=${values.until} type="datetime-local" />
      <label class="field whole" for="f-json"><span>And as JSON</span><textarea id="f-json" name="json" rows="2" spellcheck=${false} placeholder='{"metadata.project": "atlas"}'>${values.json}</textarea></label>
      ${wrong && html`<p class="refusal" role="alert">${wrong}</p>`}
      <p class="buttons"><button class="strong">Filter</button> <button type="button" onClick=${clear}>Clear</button></p>
    </div></details>
  </form>`;
}

function Choice({ name, label, value = "", options, empty = "any", names = {}, onChange, search }) {
  return html`<label class="field" for=${`f-${name}`}><span>${label}</span>
    <select id=${`f-${name}`} name=${name} onChange=${onChange} data-search=${search}>${options.map((option) => html`<option key=${option} value=${option} selected=${option === value}>${option === "" ? empty : (names[option] ?? option)}</option>`)}</select></label>`;
}

const Field = ({ name, label, value = "", ...more }) => html`<label class="field" for=${`f-${name}`}><span>${label}</span><input id=${`f-${name}`} name=${name} value=${value} autocomplete="off" spellcheck=${false} ...${more} /></label>`;
