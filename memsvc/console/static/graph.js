// Entities around one of them, laid out by forces (d3-force). The table beside it says the same.
import { html, useMemo } from "./html.js";
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "./vendor/d3-force.js";
import { count } from "./format.js";
import { useNarrow } from "./narrow.js";
import { href } from "./route.js";

const WIDE = [720, 460];
const NARROW = [360, 420];
const [ROUNDS, EDGE] = [260, 14];
const LONGEST = 22;

export function Graph({ entities, links, ns }) {
  const size = useNarrow() ? NARROW : WIDE;
  const { nodes, edges } = useMemo(() => laidOut(entities, links, size), [entities, links, size]);
  const most = Math.max(...links.map((link) => link.memories));
  return html`<svg class="graph" viewBox=${`0 0 ${size.join(" ")}`} role="group" aria-label=${`${entities[0].name} and ${entities.length - 1} entities around it`}>
    <g aria-hidden="true">${edges.map(({ source, target, memories }) => html`<line key=${`${source.id} ${target.id}`} class=${source.index === 0 ? "near" : ""} x1=${source.x} y1=${source.y} x2=${target.x} y2=${target.y} stroke-width=${0.7 + ((source.index === 0 ? 4 : 2) * memories) / most}><title>${source.name}, ${target.name}: ${memories}</title></line>`)}</g>
    ${nodes.map((node) => html`<a key=${node.id} href=${href("entities", { ns, id: node.id })} aria-label=${`${node.name}, ${count(node.memories)} memories`} class=${node.index === 0 ? "chosen" : ""}>
      <circle cx=${node.x} cy=${node.y} r=${node.radius} /><text x=${node.x} y=${node.y + node.radius + 12}>${shortened(node.name)}</text></a>`)}
  </svg>`;
}

const shortened = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

function laidOut(entities, links, [width, height]) {
  const most = Math.max(...entities.map((one) => one.memories));
  const nodes = entities.map(({ id, name, memories }, at) => {
    const turn = (2 * Math.PI * at) / entities.length;
    return { id, name, memories, radius: 5 + 13 * Math.sqrt(memories / most), x: width / 2 + 0.2 * width * Math.cos(turn), y: height / 2 + 0.24 * height * Math.sin(turn) };
  });
  Object.assign(nodes[0], { fx: width / 2, fy: height / 2 });
  const edges = links.map(({ one, other, memories }) => ({ source: one, target: other, memories }));
  forceSimulation(nodes)
    .force("links", forceLink(edges).id((node) => node.id).distance(0.24 * width).strength((edge) => (edge.source.index === 0 ? 0.25 : 0.03)))
    .force("apart", forceManyBody().strength(-1.25 * width))
    .force("whole", forceCollide((node) => node.radius + 22))
    .force("x", forceX(width / 2).strength(0.05))
    .force("y", forceY(height / 2).strength(0.12))
    .stop()
    .tick(ROUNDS);
  for (const node of nodes) {
    node.x = Math.min(Math.max(node.x, 0.09 * width), 0.91 * width);
    node.y = Math.min(Math.max(node.y, EDGE + node.radius), height - node.radius - 2 * EDGE);
  }
  return { nodes, edges };
}
