"""The files of the console: what is sent, under which headers, and that nothing in them leads elsewhere."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import httpx
import pytest

from deploy import console_libraries
from memsvc.console.files import made, site
from memsvc.core.settings import Settings
from tests.fixtures.service import Caller, Service, assert_problem, serving

OWN = {name: file for name, file in site().files.items() if not name.startswith("vendor/")}
MODULES = {name: file.body.decode() for name, file in site().files.items() if name.endswith(".js")}
_ATTRIBUTE = re.compile(r'(?:href|src)="([^"]+)"')
_IMPORTED = re.compile(r'(?:from\s*|import\(|import\s*|URL\()"(\./|\.\./)([^"]+)"')


def get(service: Service, path: str) -> httpx.Response:
    return service.ask("GET", path)


def file_path(name: str) -> str:
    return f"/console/{site().digest}/{name}"


@pytest.fixture(scope="module")
def caller(shared: Service) -> Caller:
    return shared.tenant("console")


def test_page_is_sent_without_a_key_and_held_to_its_own_files(shared: Service) -> None:
    answer = get(shared, "/console")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[of] for of in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_page_names_only_files_that_there_are_and_nothing_inline(shared: Service) -> None:
    page = get(shared, "/console").text

    named = _ATTRIBUTE.findall(page)
    assert {get(shared, f"/{path}").status_code for path in named} == {200}
    assert len(named) > 5
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    assert "{" not in page


@pytest.mark.parametrize("name", sorted(site().files))
def test_file_is_kept_for_ever_under_the_digest_of_all(shared: Service, name: str) -> None:
    answer = get(shared, file_path(name))

    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == site().files[name].body
    assert "content-security-policy" in answer.headers


def test_another_file_gives_another_digest() -> None:
    whole = {"index.html": b"<html>", "a.js": b"1", "b.js": b"2"}

    digests = {
        made(whole | change).digest for change in ({}, {"a.js": b"3"}, {"c.js": b""}, {"a.js": b"2", "b.js": b"1"})
    }

    assert len(digests) == 4


@pytest.mark.parametrize(
    "path",
    [
        "/console/0/main.js", "/console/x", file_path("nothing.js"), file_path(""), file_path("index.html"),
        file_path("%2e%2e/files.py"), file_path("..%2f..%2fcore/settings.py"),
        file_path("/etc/passwd"), file_path("main.js%00.css"), file_path("..\\files.py"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_it_is_not_found(caller: Caller, path: str) -> None:
    assert_problem(caller.ask("GET", path), 404, "not_found")


def test_a_slash_at_the_end_leads_to_the_page_wherever_it_is_mounted(shared: Service) -> None:
    answer = get(shared, "/console/")

    assert answer.status_code == 308
    assert answer.headers["location"] == "../console"


def test_only_reading_is_allowed(caller: Caller) -> None:
    assert caller.ask("HEAD", "/console").status_code == 200
    assert_problem(caller.ask("POST", "/console"), 405)


@pytest.mark.parametrize(("auth", "told"), [("open", "open"), ("keys", "needed")])
def test_page_says_whether_a_key_is_needed(tmp_path: Path, auth: str, told: str) -> None:
    with serving(tmp_path, auth=auth) as service:
        assert f'<meta name="memsvc-keys" content="{told}">' in get(service, "/console").text


def test_it_can_be_off(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).console == "on"
    with serving(tmp_path, console="off") as service:
        caller = service.tenant()
        assert_problem(caller.ask("GET", "/console"), 404)
        assert_problem(caller.ask("GET", file_path("main.js")), 404)


def test_no_file_names_another_place() -> None:
    for name, file in site().files.items():
        if name.endswith((".js", ".css", ".html", ".svg")):
            text = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", file.body.decode(), flags=re.S)
            hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", text))
            assert hosts <= {"www.w3.org"}, name  # names of SVG and MathML, which nobody asks for


def test_no_text_becomes_markup_or_code() -> None:
    for name, file in OWN.items():
        text = file.body.decode()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|localStorage.*key\b", text
        ), name


def test_every_module_that_is_imported_is_there() -> None:
    found = 0
    for name, text in MODULES.items():
        for dots, path in _IMPORTED.findall(text):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), dots + path))
            assert target in site().files or dots + path == "../../", (name, path)
            found += 1
    assert found > 60


def test_everything_that_is_imported_is_used() -> None:
    for name, file in OWN.items():
        text = file.body.decode()
        imported = ",".join(re.findall(r"import \{([^}]*)\} from", text))
        for one in filter(None, map(str.strip, imported.split(","))):
            assert len(re.findall(rf"\b{re.escape(one)}\b", text)) > 1, (name, one)


def test_no_module_is_huge_and_all_is_small() -> None:
    assert max(len(file.body.splitlines()) for name, file in OWN.items() if name.endswith(".js")) < 250
    assert sum(len(file.body) for name, file in site().files.items() if not name.endswith(".LICENSE")) < 300_000


def test_libraries_are_those_of_the_list(tmp_path: Path) -> None:
    assert console_libraries.differences(console_libraries.FOLDER) == []
    for path in console_libraries.FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "htm.js").write_text("changed")
    (tmp_path / "more.js").write_text("")
    (tmp_path / "hooks.js").unlink()
    assert console_libraries.differences(tmp_path) == ["hooks.js", "htm.js", "more.js"]


def test_each_library_has_its_licence_beside_it() -> None:
    for package in console_libraries.packages(console_libraries.FOLDER):
        assert package["licence"] in {"MIT", "ISC", "Apache-2.0"}
        assert any(name.endswith(".LICENSE") for name in package["files"]), package["name"]


def test_imports_of_a_library_become_paths() -> None:
    text = 'import{a}from"preact";export{b}from "preact/hooks"\n//# sourceMappingURL=x.map\n'

    shown = console_libraries.browsable(text, {"preact": "preact.js", "preact/hooks": "hooks.js"})

    assert shown == 'import{a}from"./preact.js";export{b}from"./hooks.js"\n'
