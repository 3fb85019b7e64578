// A picture of numbers over time (uPlot), in the colours of the page. Beside it the same stands in words.
import { html, useEffect, useRef } from "./html.js";
import { clock, day } from "./format.js";

const sheet = new Promise((found, failed) => {
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: new URL("./vendor/uplot.css", import.meta.url).href, onload: found, onerror: failed });
  document.head.append(link);
});

// The colour that a custom property stands for now, as a canvas can take it.
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// `options(colour)` gives uPlot's options without sizes; `data` its columns.
export function Chart({ options, data, height, label }) {
  const place = useRef(null);
  useEffect(() => {
    let plot = null;
    let isGone = false;
    let Plot = null;
    const draw = () => {
      if (isGone || Plot === null) return;
      plot?.destroy();
      plot = new Plot({ ...options(colour, Plot), width: place.current.clientWidth, height, legend: { show: false } }, data, place.current);
    };
    Promise.all([import("./vendor/uplot.js"), sheet]).then(([found]) => {
      Plot = found.default;
      draw();
    });
    const sized = new ResizeObserver(() => plot?.setSize({ width: place.current.clientWidth, height }));
    sized.observe(place.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    addEventListener("memsvc-shade", draw);
    return () => {
      isGone = true;
      plot?.destroy();
      sized.disconnect();
      dark.removeEventListener("change", draw);
      removeEventListener("memsvc-shade", draw);
    };
  }, [data]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${place} style=${{ minHeight: `${height}px` }}></div>`;
}

export function axes(colour) {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return [{ ...axis, size: 30, values: (plot, splits) => splits.map((at, place) => dated(at, splits[place - 1], splits[1] - splits[0])) }, { ...axis, size: 44 }];
}

const DAY_S = 86_400;

// A moment on the axis: no more of its date than differs from the one before.
function dated(at, before, step) {
  const [moment, last] = [at, before].map((one) => one !== undefined && new Date(one * 1000));
  if (step < DAY_S) return last && day(last) === day(moment) ? clock(moment) : `${day(moment).slice(5)} ${clock(moment)}`;
  return last && last.getFullYear() === moment.getFullYear() ? day(moment).slice(5) : day(moment);
}
