// How a memory fades: R(t) = exp(-t / S), the formula of docs/lifecycle.md, from what an answer tells.
const LEVELS = ["active", "warm", "cold", "archived", "forgotten"];
const FRESH = 0.9999; // above it six decimals say too little of S

// The levels that a memory can fall to with the retention below which it does, the warmest first.
function bounds(memory, policy) {
  const coldest = LEVELS.indexOf(policy.coldest[memory.kind] ?? "forgotten");
  return LEVELS.slice(1, coldest + 1)
    .map((level) => ({ level, bound: policy.below[level] ?? null }))
    .filter(({ bound }) => bound !== null);
}

// { since, stability_s, falls: [{ level, bound, at }] }, or null where the answer does not tell how it fades.
export function fading(memory, policy, now = new Date()) {
  if (memory.retention === null) return null;
  const since = new Date(Math.max(new Date(memory.recorded_at), memory.last_recalled_at ? new Date(memory.last_recalled_at) : 0));
  const falls = bounds(memory, policy);
  const stability_s = stability(memory, falls, (now - since) / 1000, since);
  if (!(stability_s > 0)) return null;
  const moments = falls.map((fall) => ({ ...fall, at: new Date(since.getTime() - 1000 * stability_s * Math.log(fall.bound)) }));
  return { since, stability_s, falls: moments };
}

function stability(memory, falls, elapsed_s, since) {
  if (memory.retention > 0 && memory.retention < FRESH) return -elapsed_s / Math.log(memory.retention);
  if (memory.fades_at === null || falls.length === 0) return null;
  const next = falls.find(({ level }) => LEVELS.indexOf(level) > LEVELS.indexOf(memory.level)) ?? falls[0];
  return (new Date(memory.fades_at) - since) / 1000 / -Math.log(next.bound);
}

export const retentionAt = (at, { since, stability_s }) => Math.exp(-Math.max(0, (at - since) / 1000) / stability_s);

// Why a memory stays where it is, or null.
export function held(memory, policy) {
  if (memory.legal_hold) return "it is under a legal hold";
  if (memory.pinned) return "it is pinned";
  if (memory.importance >= policy.protect_importance) return `its importance is ${policy.protect_importance} or more`;
  return null;
}
