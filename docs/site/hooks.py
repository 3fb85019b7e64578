"""What the site has beside the pages of `docs/`: a home, a reference of the API, and the files that pages link to.

Pages link to each other, and to files of the repository, by relative paths, so that they can be read in the repository.
Here those links are made to hold within the site: a file that is linked becomes a part of it, below `source/`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site import api_reference

ROOT = Path(__file__).parents[2]
DOCS = "docs"
SOURCE = "source"
AS_TEXT = {".py": "python", ".toml": "toml", ".yml": "yaml", ".conf": "nginx", ".txt": "text", "": "text"}
"""Suffixes of files that become a page of their own, with the language of their text."""

_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#\s:]+)(#[^)\s]*)?(\))")

_home_of: dict[str, str] = {}
"""Site path of a page -> path in the repository, of those that are not in `docs/`."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and all that pages link to."""
    _home_of.clear()
    made = {
        "index.md": ((ROOT / "README.md").read_text(encoding="utf-8"), "README.md"),
        "reference.md": (api_reference.render(), "docs/reference.md"),
        "decisions/index.md": (_decisions(), "docs/decisions/index.md"),
    }
    for uri, (text, home) in made.items():
        _add(files, config, uri, text, home)
    waiting = list(files.documentation_pages())
    while waiting:
        page = waiting.pop()
        for path in sorted(_linked(page.content_string, _home(page.src_uri))):
            place = _uri(path)
            if files.get_file_from_path(place) is not None:
                continue
            shown = _text(ROOT / path)
            added = _copy(files, config, place, path) if shown is None else _add(files, config, place, shown, path)
            if added.is_documentation_page():
                waiting.append(added)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the repository lead to their place in the site."""
    home = _home(page.file.src_uri)

    def led(link: re.Match[str]) -> str:
        if (path := _resolved(home, link[2])) is None:
            return link[0]
        here = posixpath.dirname(page.file.src_uri) or "."
        return f"{link[1]}{posixpath.relpath(_uri(path), here)}{link[3] or ''}{link[4]}"

    return _LINK.sub(led, markdown)


def _home(uri: str) -> str:
    return _home_of.get(uri, f"{DOCS}/{uri}")


def _linked(markdown: str, home: str) -> set[str]:
    """Paths of the files and folders of the repository that a text links to."""
    return {path for link in _LINK.finditer(markdown) if (path := _resolved(home, link[2])) is not None}


def _resolved(home: str, target: str) -> str | None:
    """The repository's path that a link of the file `home` leads to, or None if there is nothing."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(home), target))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def _uri(path: str) -> str:
    """Where a file of the repository is in the site."""
    if path == "README.md":
        return "index.md"
    if path.startswith(f"{DOCS}/"):
        if (folder := ROOT / path).is_dir():
            path = f"{path}/{'README' if (folder / 'README.md').exists() else 'index'}.md"
        return path.removeprefix(f"{DOCS}/")
    if (ROOT / path).is_dir():
        return f"{SOURCE}/{path}/index.md"
    suffix = PurePosixPath(path).suffix
    return f"{SOURCE}/{path}.md" if suffix in AS_TEXT else f"{SOURCE}/{path}"


def _text(path: Path) -> str | None:
    """A page that shows a file or folder, or None if it is copied as it is."""
    if path.is_dir():
        names = sorted(one.name for one in path.iterdir() if one.is_file() and not one.name.startswith(("_", ".")))
        return f"# {path.name}\n\n" + "".join(f"- [{name}]({name})\n" for name in names)
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    if (language := AS_TEXT.get(path.suffix)) is not None:
        return f"# {path.name}\n\n````{language}\n{path.read_text(encoding='utf-8').rstrip()}\n````\n"
    return None


def _add(files: Files, config: MkDocsConfig, uri: str, text: str, home: str) -> File:
    made = File.generated(config, uri, content=text)
    files.append(made)
    # A folder's listing lies in the folder: its links begin there.
    _home_of[uri] = f"{home}/index.md" if (ROOT / home).is_dir() else home
    return made


def _copy(files: Files, config: MkDocsConfig, uri: str, path: str) -> File:
    made = File.generated(config, uri, abs_src_path=str(ROOT / path))
    files.append(made)
    return made


def _decisions() -> str:
    """Every decision with its title."""
    titles: Mapping[str, str] = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for path in sorted((ROOT / DOCS / "decisions").glob("[0-9]*.md"))
    }
    return "# Decisions\n\nLasting choices, and why.\n\n" + "".join(f"- [{t}]({n})\n" for n, t in titles.items())
