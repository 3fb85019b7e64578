"""The libraries of the console, as they are published, in the form in which the service gives them out.

    python -m deploy.console_libraries          # what is in the tree is what the list says
    python -m deploy.console_libraries --fetch  # get them anew (needs npm)

The list (`memsvc/console/static/vendor/libraries.json`) names each package with its version, its licence and the digest
under which it is published; `npm pack` gets it, and nothing of it is run. A browser without a build step cannot follow
`from "preact"`: such names become paths beside the file. A script without exports is given its one.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "memsvc" / "console" / "static" / "vendor"
LIST = "libraries.json"
Package = dict[str, Any]

_IMPORT = re.compile(r'\bfrom\s*"([a-z0-9@/-]+)"')


def main() -> None:
    """Check, or fetch and check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--fetch", action="store_true", help="get them anew; versions and digests are those of the list"
    )
    if parser.parse_args().fetch:
        fetch(FOLDER)
    wrong = differences(FOLDER)
    sys.exit(f"not as the list says: {', '.join(wrong)}" if wrong else 0)


def packages(folder: Path) -> list[Package]:
    """The list."""
    found: list[Package] = json.loads((folder / LIST).read_text(encoding="utf-8"))["packages"]
    return found


def differences(folder: Path) -> list[str]:
    """Files that are missing, differ from the list, or do not stand in it."""
    listed = {name: file["sha256"] for package in packages(folder) for name, file in package["files"].items()}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != LIST}
    return sorted(name for name in listed.keys() | there.keys() if listed.get(name) != there.get(name))


def fetch(folder: Path) -> None:
    """Write all files anew, and their digests into the list.

    Raises:
        ValueError: a package is not the one that was listed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("this needs npm")
    listed = packages(folder)
    modules = {file["is"]: name for package in listed for name, file in package["files"].items() if "is" in file}
    with tempfile.TemporaryDirectory() as scratch:
        for package in listed:
            archive = _packed(npm, package, Path(scratch))
            for name, file in package["files"].items():
                text = browsable(_member(archive, file["from"]), modules) + file.get("ends", "")
                (folder / name).write_text(text, encoding="utf-8")
                file["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / LIST).write_text(json.dumps({"packages": listed}, indent=2) + "\n", encoding="utf-8")


def browsable(text: str, modules: dict[str, str]) -> str:
    """A module whose imports are paths, without the name of a map that is not there."""
    text = _IMPORT.sub(lambda found: f'from"./{modules[found[1]]}"', text)
    return re.sub(r"\n?//# sourceMappingURL=\S+\s*$", "\n", text)


def _packed(npm: str, package: Package, scratch: Path) -> Path:
    wanted = f"{package['name']}@{package['version']}"
    done = subprocess.run([npm, "pack", "--silent", wanted], cwd=scratch, capture_output=True, text=True, check=True)
    archive = scratch / done.stdout.split()[-1]
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package["integrity"]:
        raise ValueError(f"{wanted} is {found}")
    return archive


def _member(archive: Path, name: str) -> str:
    with tarfile.open(archive) as held:
        member = held.extractfile(f"package/{name}")
        if member is None:
            raise ValueError(f"there is no {name} in {archive.name}")
        return member.read().decode()


if __name__ == "__main__":
    main()
