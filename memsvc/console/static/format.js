// Numbers, sizes and times as text.
const whole = new Intl.NumberFormat("en");
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const DAY_S = 86_400;

export const count = (n) => whole.format(n);

export function bytes(n) {
  const power = n > 0 ? Math.min(Math.floor(Math.log2(n) / 10), UNITS.length - 1) : 0;
  const size = n / 1024 ** power;
  return `${power === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[power]}`;
}

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
export const ms = (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const two = (n) => String(n).padStart(2, "0");
export const day = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
export const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}`;

// A span of seconds in its largest unit: "3 days".
export function span(seconds) {
  for (const [size, name] of [[365.25 * DAY_S, "year"], [30.44 * DAY_S, "month"], [DAY_S, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds >= size) return plural(Math.round(seconds / size), name);
  }
  return plural(Math.round(seconds), "second");
}

export function fromNow(at, now = new Date()) {
  const seconds = (at - now) / 1000;
  return seconds < 0 ? `${span(-seconds)} ago` : `in ${span(seconds)}`;
}

// "job_runs" and "open-ended" as words.
export const words = (name) => name.replaceAll(/[_-]/g, " ");
