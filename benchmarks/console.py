"""The console in Chromium over a namespace of 100,000 memories: how soon one sees what.

    python -m benchmarks.console          # needs the extra `console-test`, and Chromium

The server is the real one, with its default settings, in a process of its own; browser and server share the machine.
What is timed is a person's wait: from the start of the navigation, or from the last byte of an answer, until the first
frame is painted in which the thing is there (seen by an observer of the document, then one frame more). A first view
has a browser context of its own: nothing is cached. Every question is asked once.
"""

from __future__ import annotations

import argparse
import itertools
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks import _load, _results
from benchmarks._browser import MODES, Watched, browsing, missing
from benchmarks._http import Client, spread
from benchmarks._server import Server, scratch, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMESPACE = "bench/large"
COMMAND = "python -m benchmarks.console"
TARGET_FIRST_VIEW_MS, TARGET_SHOWN_MS = 1000, 300
_SCROLLED = 10_000

# Resolves with the time, on the page's own clock, after the frame in which `selector` first matches is painted.
_SEEN = """
window.seen = (selector) => new Promise((found) => {
  const painted = () => requestAnimationFrame(() => setTimeout(() => found(performance.now())));
  if (document.querySelector(selector)) { painted(); return; }
  const watch = new MutationObserver(() => {
    if (document.querySelector(selector)) { watch.disconnect(); painted(); }
  });
  watch.observe(document, { subtree: true, childList: true, attributes: true });
});
window.first = window.seen("tbody tr");
"""


def main() -> None:
    """Measure and save."""
    options = _options()
    lacks = missing()
    if lacks is not None:
        raise SystemExit(lacks)
    with ExitStack() as stack:
        folder = options.data_dir or stack.enter_context(scratch()) / "data"
        memories = _load.make(options.memories, options.seed)
        server = stack.enter_context(serve(folder))
        client = Client(server.url)
        if not client.get("/v1/namespaces")["items"]:
            _load.fill(client, NAMESPACE, memories)
            _load_side_namespaces(client, memories)
        browser = stack.enter_context(browsing())
        figures = measure(browser, server, memories, options.calls)
        figures["memories"] = client.get(f"/v1/stats?namespace={NAMESPACE}")["memories"]
        figures["chromium"] = browser.version
    path = _results.save(options.name, figures, command=COMMAND, seed=options.seed)
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    print(f"saved {path}")


def measure(browser: Browser, server: Server, memories: _load.Memories, calls: int) -> dict[str, Any]:
    """Every figure; `calls` is how often each thing is done."""
    questions = iter(memories.questions)
    _watched(browser, server.url).open(None)  # is there a console at all
    return {
        "targets": {"first_view_ms": TARGET_FIRST_VIEW_MS, "recall_shown_after_answer_ms": TARGET_SHOWN_MS},
        "first_view": spread([_first_view(browser, server.url) for _ in range(calls)]),
        "recall": _recalls(browser, server.url, itertools.islice(questions, calls)),
        "views": _views(browser, server.url),
        "scroll": _scroll(browser, server.url, min(_SCROLLED, len(memories.texts))),
        "modes": {mode: _troubles(browser, server.url, mode, next(questions)) for mode in MODES},
    }


def _load_side_namespaces(client: Client, memories: _load.Memories) -> None:
    """A few small namespaces, so that the first view is a list."""
    for number in range(20):
        rows = memories.rows(50 * number, 50 * number + 50)
        client.post("/v1/memories:batch", _load.encoded({"namespace": f"bench/small-{number:02}", "memories": rows}))


def _watched(browser: Browser, url: str, mode: str = "light") -> Watched:
    page = browser.new_context(**MODES[mode]).new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(_SEEN)
    return Watched(page, url)


def _first_view(browser: Browser, url: str) -> float:
    """Milliseconds from the start of the navigation until the list of namespaces is painted."""
    watched = _watched(browser, url)
    watched.page.goto(f"{url}/console", wait_until="commit")
    watched.page.wait_for_load_state("domcontentloaded")
    took: float = watched.page.evaluate("window.first")
    watched.page.context.close()
    return took


def _recalls(browser: Browser, url: str, questions: Any) -> dict[str, Any]:
    """Milliseconds from the last byte of the answer until the hits are painted, and what the answer took."""
    watched = _watched(browser, url)
    watched.open(None, f"#/recall?ns={NAMESPACE}")
    shown, answered = [], []
    for number, question in enumerate(questions):
        watched.page.fill("#query", question)
        before = "" if number == 0 else watched.page.get_attribute("[data-answer]", "data-answer")
        watched.page.evaluate(
            "(before) => { window.next = window.seen(`[data-answer]:not([data-answer='${before}'])`) }", before
        )
        watched.page.press("#query", "Enter")
        at = watched.page.evaluate("window.next")
        timing = watched.page.evaluate(
            """() => { const last = performance.getEntriesByName(new URL("/v1/recall", location).href).at(-1);
                       performance.clearResourceTimings(); return [last.requestStart, last.responseEnd]; }"""
        )
        shown.append(at - timing[1])
        answered.append(timing[1] - timing[0])
    watched.page.context.close()
    return {"n": len(shown), "shown_after_answer": spread(shown), "answer": spread(answered)}


def _views(browser: Browser, url: str) -> dict[str, float]:
    """Milliseconds from a step to a view until its content is painted, the answers of the service included."""
    watched = _watched(browser, url)
    watched.open(None)
    found = {}
    for view, selector in (
        ("namespace", "section .shares"), ("memories", ".virtual .row"), ("timeline", ".days li"),
        ("entities", ".graph circle"), ("runs", "form"), ("erasures", ".empty"), ("audit", "tbody tr, .empty"),
    ):  # fmt: skip
        took = watched.page.evaluate(
            """async ([view, ns, selector]) => {
                 const begun = performance.now();
                 location.hash = `#/${view}?ns=${ns}`;
                 await new Promise((left) => setTimeout(left));
                 return (await window.seen(`main ${selector}`)) - begun; }""",
            [view, NAMESPACE, selector],
        )
        found[f"{view}_ms"] = round(took, 1)
        watched.settle()
    watched.page.context.close()
    return found


def _scroll(browser: Browser, url: str, wanted: int) -> dict[str, Any]:
    """The list, scrolled down until so many memories are there: elements in the page, and the size of its heap."""
    watched = _watched(browser, url)
    watched.open(None, f"#/memories?ns={NAMESPACE}")
    found: dict[str, Any] = watched.page.evaluate(
        """async (wanted) => {
             const begun = performance.now();
             let most = 0;
             const list = document.querySelector(".virtual");
             const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
             while (list.clientHeight < wanted * 4.5 * rem) {
               scrollTo(0, document.body.scrollHeight);
               await new Promise((next) => requestAnimationFrame(next));
               most = Math.max(most, list.childElementCount);
             }
             return { memories: wanted, seconds: (performance.now() - begun) / 1000, rows_in_page_max: most,
                      heap_mib: performance.memory.usedJSHeapSize / 2 ** 20 };
           }""",
        wanted,
    )
    watched.page.context.close()
    return {name: round(value, 1) for name, value in found.items()}


def _troubles(browser: Browser, url: str, mode: str, question: str) -> dict[str, Any]:
    """What the browser complains of and what axe finds, view by view."""
    watched = _watched(browser, url, mode)
    watched.open(None)
    findings = []
    for view in ("namespaces", "namespace", "memories", "recall", "timeline", "entities", "runs", "erasures", "audit"):
        watched.go(view, ns=NAMESPACE)
        if view == "recall":
            watched.page.fill("#query", question)
            watched.page.press("#query", "Enter")
            watched.page.wait_for_selector("[data-answer]")
        findings += [f"{view}: {one}" for one in watched.findings()]
    watched.page.context.close()
    return {"console_errors": watched.troubles, "axe_serious": findings}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=20, help="first views, and questions")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data-dir", type=Path, help="a folder to keep; what is in it is not loaded again")
    parser.add_argument("--name", default="console", help="name of the file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
