"""Settings that lie in files, one each, as container engines hand over what must not stand in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, SecretsSettingsSource

from memsvc.core.errors import StartupRefused


class SecretFiles(SecretsSettingsSource):
    """Reads `<prefix><name>` files of a folder, without the white space around their content.

    Stricter than its base, which goes on with a warning where a folder is missing or a file cannot be read: a server
    would then make a secret of its own, or serve another database.

    Args:
        settings: the class that is filled.
        folder: where the files lie; files without the prefix belong to somebody else.
        prefix: of names, in lower case.
        names: of the settings that a file may hold.
    """

    def __init__(self, settings: type[BaseSettings], folder: Path, prefix: str, names: frozenset[str]) -> None:
        super().__init__(settings, secrets_dir=folder)
        self._folder = folder
        self._prefix = prefix
        self._names = names

    def __call__(self) -> dict[str, Any]:
        """The values by the names of their settings.

        Raises:
            StartupRefused: the folder or a file cannot be read, or a file is named like no setting.
        """
        try:
            files = [file for file in self._folder.iterdir() if file.name.lower().startswith(self._prefix)]
        except OSError as error:
            raise StartupRefused(f"MEMSVC_SECRETS_DIR: cannot read {self._folder}: {error.strerror}") from None
        for file in files:
            if file.name.lower().removeprefix(self._prefix) not in self._names:
                raise StartupRefused(
                    f"{file} is named like no setting that may lie in a file; docs/settings.md lists all"
                )
            _check_readable(file)
        return super().__call__()


def _check_readable(file: Path) -> None:
    try:
        content = file.read_text()
    except OSError as error:
        raise StartupRefused(f"cannot read the setting in {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartupRefused(f"the setting in {file} is not text") from None
    if not content.strip():
        raise StartupRefused(f"the setting in {file} is empty")
