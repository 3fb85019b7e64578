// A memory as a row of a list.
import { html } from "./html.js";
import { Badge, Retention, Time } from "./parts.js";
import { href } from "./route.js";

export const ROW_REM = { wide: 4.5, narrow: 5.7 };

export function MemoryRow({ memory }) {
  const { id, content, kind, state, level, derived, trust, tags, pinned, legal_hold, speaker } = memory;
  return html`<a class="row" data-row href=${href("memory", { id, ns: memory.namespace })}>
    <span class="content">${speaker && html`<b>${speaker}: </b>`}${content}</span>
    <span class="meta">
      <${Time} at=${memory.occurred_at ?? memory.recorded_at} />
      <span>${derived ? `${kind}, ${derived}` : kind}</span>
      <${Badge}>${state === "active" ? level : state}<//>
      ${memory.retention !== null && html`<${Retention} value=${memory.retention} />`}
      ${trust !== "agent" && html`<span>${trust}</span>`}
      ${pinned && html`<${Badge}>pinned<//>`}${legal_hold && html`<${Badge} tone="warm">legal hold<//>`}
      ${tags.slice(0, 4).map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`)}
    </span>
  </a>`;
}
