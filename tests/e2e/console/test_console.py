"""The console in a real browser, over the real service: what it shows is what the routes answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks._browser import MODES, Watched
from tests.e2e.console.conftest import Open
from tests.fixtures.console_world import AGENT, TEAM, USER, World
from tests.fixtures.service import Caller

NS = {"ns": TEAM}


def of(world: World, path: str, **params: Any) -> Any:
    """What the API answers."""
    answer = world.caller.ask("GET", path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("mode", MODES)
def test_every_view_is_accessible_fits_and_is_quiet(console: Open, world: World, mode: str) -> None:
    """Slow: every view in turn is settled and read by axe; that is what there is to find out."""
    watched = console.page(mode)
    watched.page.goto(f"{watched.url}/console")
    assert watched.findings() == []
    watched.open(world.caller.secret)
    views: list[tuple[str, dict[str, str]]] = [
        ("namespaces", {}), ("namespace", NS), ("memories", NS), ("memory", {"id": world.edited}),
        ("memory", {"id": world.derived}), ("recall", NS), ("timeline", NS), ("entities", NS), ("runs", NS),
        ("run", {"id": world.run}), ("erasures", {}), ("erasure", {"id": world.erasure}), ("audit", {}),
    ]  # fmt: skip
    for view, params in views:
        watched.go(view, **params)
        if view == "recall":
            ask(watched, "Who fixed the deploy of Atlas?")
        assert watched.findings() == [], view
        assert watched.overflow() <= 0, view
    watched.page.context.close()
    assert watched.troubles == []


def test_the_watcher_would_see_trouble(console: Open) -> None:
    watched = console.page()
    watched.page.goto(f"{watched.url}/console")
    watched.page.evaluate(
        """() => {
          document.body.append(Object.assign(document.createElement("img"), {src: "/console"}));
          console.error("planted");
          fetch("http://elsewhere.invalid/").catch(() => null);
          const script = document.createElement("script");
          try { script.text = "document.title = 'run'"; document.body.append(script); } catch { /* as it should */ }
        }"""
    )
    watched.page.wait_for_timeout(200)
    assert watched.page.title() != "run"
    assert any("planted" in one for one in watched.troubles)
    assert any("Security" in one and "elsewhere" in one for one in watched.troubles)
    assert any(one.startswith("image-alt") for one in watched.findings())
    watched.page.context.close()


def test_the_key_stays_in_the_tab_and_out_of_every_address(bare: Watched, world: World) -> None:
    asked: list[str] = []
    bare.page.on("request", lambda request: asked.append(request.url))
    bare.open(world.caller.secret)
    bare.go("memories", **NS)

    assert world.caller.secret is not None
    assert not any(world.caller.secret in url for url in [*asked, bare.page.url])
    assert world.caller.secret in bare.page.evaluate("Object.values(sessionStorage)")
    kept = bare.page.evaluate("[JSON.stringify(localStorage), document.cookie, document.documentElement.outerHTML]")
    assert not any(world.caller.secret in one for one in kept)
    bare.page.reload()
    bare.settle()
    assert bare.page.inner_text("h1") == "Memories"
    bare.page.click("text=Forget key")
    assert bare.page.is_visible("#api-key")
    assert bare.page.evaluate("sessionStorage.length") == 0


def test_a_key_that_is_not_good_is_asked_for_again(console: Open) -> None:
    watched = console.page()
    watched.open("msk_" + "x" * 43)

    assert "did not take that key" in watched.page.inner_text("[role=alert]")
    assert watched.page.evaluate("sessionStorage.length") == 0
    assert all("401" in trouble for trouble in watched.troubles)
    watched.page.context.close()


@pytest.mark.parametrize(
    ("view", "role"), [("audit", "admin"), ("erasures", "erase"), ("runs", "write"), ("memories", "read")]
)
def test_what_a_key_may_not_is_said_with_the_role(console: Open, world: World, view: str, role: str) -> None:
    narrow = world.caller.key(roles=["write"] if role == "read" else ["read"])
    watched = console.page()
    watched.open(narrow.secret)
    watched.go(view, **NS)
    if view == "runs":
        watched.page.click("button:text-is('Run')")

    told = watched.page.locator("[role=alert]").first
    told.wait_for()
    assert f"this key lacks the role '{role}'" in told.inner_text().lower()
    assert f"needs a key with the role {role}" in told.inner_text()
    assert all("403" in trouble for trouble in watched.troubles)
    watched.page.context.close()


def test_namespaces_have_sizes_tiers_and_health(seen: Watched, world: World) -> None:
    seen.go("namespaces")
    rows = seen.page.locator("tbody tr")
    texts = dict(zip([AGENT, TEAM, USER], rows.all_inner_texts(), strict=True))

    stats = of(world, "/v1/stats", namespace=TEAM)
    assert f"cold {stats['levels']['cold']}" in texts[TEAM]
    assert str(stats["memories"]) in texts[TEAM]
    assert "KiB" in texts[USER]
    assert "ready" in seen.page.inner_text(".health")
    seen.page.fill("#prefix", "team/")
    seen.page.press("#prefix", "Tab")
    seen.until("() => document.querySelectorAll('tbody tr').length === 1")


def test_memories_are_filtered(seen: Watched, world: World) -> None:
    seen.go("memories", ns=AGENT)
    seen.page.click("summary")
    seen.page.fill("#f-json", '{"outcome": "failure"}')
    seen.page.fill("#f-importance", "0.5")
    seen.page.click("button:text-is('Filter')")
    seen.settle()

    wanted = {"and": [{"importance": {"gte": 0.5}}, {"outcome": "failure"}]}
    items = of(world, "/v1/memories", namespace=AGENT, filter=json.dumps(wanted))["items"]
    assert 0 < len(items) < 24
    assert seen.page.locator("[data-row] .content").all_inner_texts() == [one["content"] for one in items]
    seen.page.fill("#f-json", "{")
    seen.page.click("button:text-is('Filter')")
    assert "This is no JSON" in seen.page.inner_text("[role=alert]")


def test_many_memories_are_few_elements_and_all_are_reached(seen: Watched, world: World) -> None:
    """3,000 memories; the list holds the rows near the window alone."""
    many = Caller(world.caller.service, world.caller.secret, "load/many")
    for begin in range(0, 3000, 1000):
        memories = [{"content": f"note number {number}", "kind": "episodic"} for number in range(begin, begin + 1000)]
        body = {"namespace": many.namespace, "memories": memories}
        assert many.ask("POST", "/v1/memories:batch", json=body).status_code == 200
    seen.go("memories", ns=many.namespace, order="oldest")

    for _ in range(200):
        if "3,000 memories" in seen.page.inner_text(".more"):
            break
        seen.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        seen.page.wait_for_timeout(20)

    seen.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    seen.until("() => document.querySelector('.virtual li:last-child').ariaPosInSet === '3000'")
    assert "note number" in seen.page.inner_text(".virtual li:last-child .content")
    assert seen.page.locator(".virtual li").count() < 80


def test_memory_has_history_fading_and_what_it_was_made_of(seen: Watched, world: World) -> None:
    seen.go("memory", id=world.edited)
    memory = of(world, f"/v1/memories/{world.edited}")
    history = seen.page.inner_text(".history")

    assert seen.page.inner_text("article .text") == memory["content"]
    assert "Version 2" in history
    assert "near the Jardim da Estrela" in history
    assert seen.page.get_attribute("[data-fades] time", "datetime") == memory["fades_at"]
    seen.page.wait_for_selector(".chart canvas")
    assert "warm below 0.6 on" in str(seen.page.get_attribute(".chart", "aria-label"))

    seen.go("memory", id=world.derived)
    links = of(world, f"/v1/memories/{world.derived}/links")["items"]
    sources = {one["memory_id"] for one in links if (one["relation"], one["direction"]) == ("derived_from", "out")}
    shown = seen.page.eval_on_selector_all("section:has(h2:text-is('Comes from')) li a", "all => all.map(a => a.title)")
    assert set(shown) == sources
    assert sources


def test_the_curve_is_the_one_of_the_service(seen: Watched, world: World) -> None:
    """The day of the fall, from what the answer says of now, is the one that the service says."""
    seen.go("memory", id=world.edited)
    moment = seen.page.get_attribute(".fall time", "datetime")
    fades_at = seen.page.get_attribute("[data-fades] time", "datetime")

    drift_s = seen.page.evaluate("([a, b]) => Math.abs(new Date(a) - new Date(b)) / 1000", [moment, fades_at])

    assert drift_s < 600


def ask(watched: Watched, question: str) -> None:
    watched.page.fill("#query", question)
    watched.page.press("#query", "Enter")
    watched.page.wait_for_selector("[data-answer]")
    watched.settle()


def test_recall_says_which_channel_found_what(seen: Watched) -> None:
    seen.go("recall", **NS)
    with seen.page.expect_response("**/v1/recall") as held:
        ask(seen, "Who fixed the deploy of Atlas?")
    answer = held.value.json()

    hits = seen.page.locator(".hit")
    assert hits.count() == len(answer["hits"]) > 3
    for place, hit in enumerate(answer["hits"]):
        chips = hits.nth(place).locator(".chips li").all_inner_texts()
        ranks = {
            name.replace("_", " "): one["rank"] for name, one in hit["channels"].items() if one["rank"] is not None
        }
        assert {chip.rsplit(" #", 1)[0]: int(chip.rsplit(" #", 1)[1]) for chip in chips} == ranks
    assert "confidence" in seen.page.inner_text(".summary")
    assert seen.page.locator(".times dt").count() == len(answer["explanation"]["timings_ms"])
    assert seen.page.locator(".matrix tbody tr").count() == len(answer["hits"])


def test_timeline_has_days_and_looks_closer(seen: Watched) -> None:
    seen.go("timeline", **NS)
    seen.page.wait_for_selector(".days")
    days = seen.page.locator(".days h2 button").all_inner_texts()

    assert len(days) > 2
    assert days == sorted(days, reverse=True)
    seen.page.wait_for_selector(".chart canvas")
    seen.page.click(f".days h2 button:text-is('{days[1]}')")
    seen.until("() => document.querySelectorAll('.days > li').length === 1")
    assert seen.page.locator(".days ol li").count() == 3


def test_graph_has_who_is_around_an_entity_and_leads_on(seen: Watched, world: World) -> None:
    seen.go("entities", **NS)
    first = of(world, "/v1/entities", namespace=TEAM)["items"][0]
    graph = of(world, f"/v1/entities/{first['id']}/graph", namespace=TEAM, limit=24)

    assert seen.page.locator(".graph circle").count() == len(graph["entities"])
    assert seen.page.locator(".graph line").count() == len(graph["links"])
    seen.page.click(".graph a:has-text('Falcon')")
    seen.until("() => document.querySelector('section[aria-label=Graph] h2').textContent.startsWith('Falcon')")


def test_a_dry_run_changes_nothing_and_a_run_is_taken_back(seen: Watched, world: World) -> None:
    seen.go("runs", ns=USER)
    seen.page.click("button:text-is('Run')")
    seen.page.wait_for_selector("text=Nothing was changed.")
    assert {one["level"] for one in of(world, "/v1/memories", namespace=USER)["items"]} == {"active"}

    seen.go("runs", ns=USER)
    seen.page.select_option("#dry_run", "no")
    seen.page.click("button:text-is('Run')")
    seen.page.click("dialog button:text-is('Run it')")
    seen.page.wait_for_selector("button:text-is('Undo')")
    seen.page.wait_for_selector("td:has-text('cold')")
    assert "cold" in {one["level"] for one in of(world, "/v1/memories", namespace=USER)["items"]}

    seen.page.click("button:text-is('Undo')")
    seen.page.click("dialog button:text-is('Undo it')")
    seen.page.wait_for_selector(".summary:has-text('Undo'):has-text('succeeded')")
    assert {one["level"] for one in of(world, "/v1/memories", namespace=USER)["items"]} == {"active"}


def test_a_receipt_is_shown_saved_and_verified(seen: Watched, world: World, tmp_path: Any) -> None:
    seen.go("erasures")
    seen.page.click("tbody a")
    seen.settle()
    seen.page.click("button:text-is('Verify')")
    seen.page.wait_for_selector(".badge:text-is('holds')")
    with seen.page.expect_download() as held:
        seen.page.click("button:text-is('Save')")
    saved = tmp_path / "receipt.json"
    held.value.save_as(saved)
    assert json.loads(saved.read_text())["erasure_id"] == world.erasure

    saved.write_text(saved.read_text().replace(world.erasure, world.run))
    seen.go("erasures")
    seen.page.set_input_files("#receipt", saved)
    seen.page.wait_for_selector(".badge:text-is('does not hold')")


def test_the_trail_is_listed_filtered_and_verified(seen: Watched) -> None:
    seen.go("audit")
    seen.page.click("text=Verify the whole trail")
    seen.page.wait_for_selector(".badge:text-is('holds')")
    seen.page.select_option("#kind", "erasure")
    seen.until("() => document.querySelectorAll('tbody tr').length === 2")
    assert "erasure.ask" in seen.page.inner_text("tbody")


def test_what_a_memory_says_is_text_and_nothing_else(seen: Watched, world: World) -> None:
    hostile = '<img src=x onerror=alert(1)><script>alert(2)</script> <b>Mallory</b> "><svg onload=alert(3)>'
    caller = Caller(world.caller.service, world.caller.secret, "load/hostile")
    made = caller.remember(
        hostile, tags=["<i>x</i>"], metadata={"<u>": "</pre><script>alert(4)</script>"}, speaker="<b>"
    )
    seen.go("memory", id=made["id"])

    assert seen.page.inner_text("article .text") == hostile
    assert seen.page.locator("article img, article script, article i").count() == 0
    seen.go("recall", ns=caller.namespace)
    ask(seen, "Mallory")
    assert hostile in seen.page.inner_text(".hit")


def test_keys_lead_everywhere_unless_they_are_off(seen: Watched) -> None:
    page = seen.page
    seen.go("namespace", **NS)
    for key, title in (("m", "Memories"), ("e", "Entities"), ("l", "Lifecycle"), ("r", "Recall")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        seen.until("(title) => document.title.startsWith(title)", title)
    seen.settle()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("g m?")
    assert page.title().startswith("Recall")
    assert page.input_value("#query") == "g m?"

    seen.go("memories", **NS)
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.href")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.href") != first
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.href") == first
    page.keyboard.press("?")
    assert page.is_visible("dialog[open]")
    assert seen.findings() == []
    page.uncheck("dialog input")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 0


def test_a_new_view_takes_the_focus_and_the_first_stop_skips_to_it(seen: Watched) -> None:
    seen.go("memories", **NS)
    assert seen.page.evaluate("document.activeElement.textContent") == "Memories"
    seen.page.evaluate("document.activeElement.blur()")
    seen.page.reload()
    seen.settle()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.textContent") == "To the content"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"


def test_colours_follow_the_system_or_the_visitor(console: Open, world: World) -> None:
    watched = console.page("dark")
    watched.open(world.caller.secret)
    dark = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    watched.page.click("[aria-label^=Colours]")
    watched.until("() => document.documentElement.style.colorScheme === 'light'")
    light = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    watched.page.reload()
    watched.settle()

    assert dark != light
    assert watched.page.evaluate("getComputedStyle(document.body).backgroundColor") == light
    watched.page.context.close()
