// Requests to the service that served this page, with the visitor's key.
import { session } from "./session.js";

const ROOT = new URL("../../", import.meta.url); // of /console/<digest>/api.js: a proxy may have put a prefix before it

export class Problem extends Error {
  // `status` is 0 where no answer came.
  constructor(status, body) {
    super(body.detail || body.title || "the service cannot be reached");
    this.status = status;
    this.code = body.code ?? "";
    this.title = body.title ?? "No answer";
    this.requestId = body.request_id ?? "";
    this.errors = body.errors ?? [];
  }
}

async function answered(method, path, key, { query = {}, body, signal } = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = { accept: "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(url, { method, headers, body: sent, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {});
  }
}

// The answer as JSON; raises a Problem for what was refused.
export async function ask(method, path, asked) {
  const { key } = session;
  const answer = await answered(method, path, key, asked);
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (answer.status === 401) session.refuse(key);
  throw new Problem(answer.status, body);
}

export const get = (path, query, signal) => ask("GET", path, { query, signal });
export const post = (path, body, signal) => ask("POST", path, { body, signal });

// Whether requests may be sent here; also the answer that says no is one.
export async function readiness(signal) {
  return (await answered("GET", "readyz", "", { signal })).json();
}
