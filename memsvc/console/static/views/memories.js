// The memories of a namespace, filtered, as far down as somebody scrolls.
import { html, useState } from "../html.js";
import { get } from "../api.js";
import { usePages } from "../asking.js";
import { composed, FIELDS, FilterForm } from "../filters.js";
import { MemoryRow, ROW_REM } from "../memoryrow.js";
import { useNarrow } from "../narrow.js";
import { Empty, Heading, More, NeedsNamespace, Refusal } from "../parts.js";
import { amend } from "../route.js";
import { VirtualList } from "../virtual.js";

const PAGE = 100;

export default function Memories({ params }) {
  const { ns } = params;
  const isNarrow = useNarrow();
  const [asked, setAsked] = useState(() => given(params));
  const pages = usePages(
    (cursor, signal) => {
      if (!ns) return Promise.resolve({ items: [], next_cursor: null });
      const filter = composed(asked);
      return get("v1/memories", { namespace: ns, filter: filter && JSON.stringify(filter), order: asked.order, limit: PAGE, cursor }, signal);
    },
    [ns, asked],
  );
  if (!ns) return html`<${Heading}>Memories<//><${NeedsNamespace} />`;
  const apply = (values) => {
    setAsked(values);
    amend("memories", { ns, ...values });
  };
  return html`<${Heading}>Memories<//>
    <${FilterForm} values=${asked} onApply=${apply} />
    ${pages.problem && html`<${Refusal} problem=${pages.problem} needs="read" again=${pages.again} />`}
    ${pages.done && !pages.problem && pages.items.length === 0 && html`<${Empty}>No memory passes this filter. Without a state, only active ones do.<//>`}
    <${VirtualList} pages=${pages} height=${isNarrow ? ROW_REM.narrow : ROW_REM.wide} label="Memories" row=${(memory) => html`<${MemoryRow} memory=${memory} />`} />
    <${More} pages=${pages} noun="memories" />`;
}

const given = (params) => Object.fromEntries([...FIELDS, "order"].filter((name) => params[name]).map((name) => [name, params[name]]));
