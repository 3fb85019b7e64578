"""The documentation builds as a site without a broken link, and a reader of it asks nothing of other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs.site import api_reference, pictures

ROOT = Path(__file__).parents[3]
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*\bhref=["']?(?:https?:)?//"""
)
LOADED_BY_STYLES = re.compile(r"""(?:url\(|@import\s+)["']?(?:https?:)?//""")


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("material"), reason="the extra docs is not installed")
def test_the_site_builds_and_is_whole(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr  # a link or an anchor that leads nowhere, too
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 50
    assert not [page.name for page in pages if LOADED.search(page.read_text(encoding="utf-8"))]
    styles = sorted((tmp_path / "site").rglob("*.css"))
    assert not [style.name for style in styles if LOADED_BY_STYLES.search(style.read_text(encoding="utf-8"))]
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="tutorial.html"' in home  # the README's own links lead to pages of the site
    assert (tmp_path / "site" / "source" / "examples" / "chat_agent.py.html").exists()


def test_the_reference_has_every_route_and_object() -> None:
    api = api_reference.described()
    page = api_reference.render()
    routes = [(method.upper(), path) for path, methods in api["paths"].items() for method in methods]
    assert [f"{m} {p}" for m, p in routes if f"### `{m} {p}`\n" not in page] == []
    assert [name for name in api["components"]["schemas"] if f"### {name}\n" not in page] == []
    links = set(re.findall(r"\]\(#([a-z0-9_-]+)\)", page))
    assert links <= {name.lower() for name in api["components"]["schemas"]}


def test_a_field_says_its_type_bounds_and_default() -> None:
    page = api_reference.render()
    create = page.partition("### MemoryCreate\n")[2].partition("\n### ")[0]
    assert "| `importance` | number, ≥ 0, ≤ 1 or null | `null` | 0 to 1; default 0.5. |" in create
    assert "| `kind` | `episodic` · `semantic` · `procedural` or null |" in create
    assert re.search(r"\| `content` \| string, not empty \|\s+\|", create)


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_is_what_its_program_draws(name: str) -> None:
    saved = (pictures.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert saved == pictures.PICTURES[name]().svg(), "run: python -m docs.site.pictures"
