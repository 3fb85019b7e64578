// What a view knows of an answer while it is on its way, there, or refused.
import { useEffect, useMemo, useRef, useState } from "./html.js";

const asError = (error) => (error.name === "AbortError" ? null : error);

// Asks again whenever one of `on` changes; what was asked before is given up. `ask(signal)` gives a promise, or null.
export function useAnswer(ask, on) {
  const [turn, again] = useState(0);
  const [state, setState] = useState({ busy: true });
  useEffect(() => {
    const given = new AbortController();
    const promise = ask(given.signal);
    if (promise === null) {
      setState({ busy: false });
      return undefined;
    }
    setState((before) => ({ value: before.value, busy: true }));
    promise.then(
      (value) => given.signal.aborted || setState({ value, busy: false }),
      (error) => given.signal.aborted || setState({ problem: asError(error), busy: false }),
    );
    return () => given.abort();
  }, [...on, turn]);
  return { ...state, again: () => again((n) => n + 1) };
}

// A list page by page: `ask(cursor, signal)` gives { items, next_cursor }. `more()` asks for the next page once.
export function usePages(ask, on) {
  const [state, setState] = useState({ items: [], busy: true, done: false });
  const [turn, again] = useState(0);
  const run = useRef(null);
  const start = () => {
    run.current?.given.abort();
    const mine = { given: new AbortController(), busy: false, done: false, cursor: undefined };
    run.current = mine;
    setState({ items: [], busy: true, done: false });
    return mine;
  };
  const more = async (mine = run.current) => {
    if (mine === null || mine.busy || mine.done) return;
    mine.busy = true;
    setState((before) => ({ ...before, busy: true, problem: undefined }));
    try {
      const page = await ask(mine.cursor, mine.given.signal);
      if (mine !== run.current) return;
      mine.cursor = page.next_cursor ?? undefined;
      mine.done = page.next_cursor === null;
      setState((before) => ({ items: before.items.concat(page.items), busy: false, done: mine.done }));
    } catch (error) {
      if (mine !== run.current || asError(error) === null) return;
      mine.done = true; // not before somebody asks again
      setState((before) => ({ ...before, busy: false, done: true, problem: error }));
    } finally {
      mine.busy = false;
    }
  };
  useEffect(() => {
    const mine = start();
    more(mine);
    return () => mine.given.abort();
  }, [...on, turn]);
  return useMemo(() => ({ ...state, more: () => more(), again: () => again((n) => n + 1) }), [state]);
}
