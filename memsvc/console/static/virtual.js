// A long list of rows of one height, of which only those near the window are in the page.
import { html, useLayoutEffect, useRef, useState } from "./html.js";

const OVERSCAN = 12;
const AHEAD = 30; // rows before the end at which the next page is asked for

// `pages` as `usePages` gives them; `height` in rem; `row(item)` gives the content of a row.
export function VirtualList({ pages, height, row, label }) {
  const list = useRef(null);
  const [[first, last], setRange] = useState([0, 40]);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const size = height * rem;
  const { items, done } = pages;
  useLayoutEffect(() => {
    let isWaiting = false;
    const place = () => {
      isWaiting = false;
      if (list.current === null) return;
      const { top } = list.current.getBoundingClientRect();
      const begin = Math.max(0, Math.floor(-top / size) - OVERSCAN);
      const end = Math.ceil((innerHeight - top) / size) + OVERSCAN;
      setRange((before) => (before[0] === begin && before[1] === end ? before : [begin, end]));
      if (end + AHEAD - OVERSCAN >= items.length && !done) pages.more();
    };
    const soon = () => {
      if (!isWaiting) requestAnimationFrame(place);
      isWaiting = true;
    };
    place();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [items, done, size]);
  const shown = items.slice(first, last);
  return html`<ol ref=${list} class="virtual" aria-label=${label} style=${{ height: `${items.length * height}rem` }}>
    ${shown.map((item, at) => html`<li key=${item.id} aria-posinset=${first + at + 1} aria-setsize=${done ? items.length : -1}
      style=${{ height: `${height}rem`, top: `${(first + at) * height}rem` }}>${row(item)}</li>`)}
  </ol>`;
}
