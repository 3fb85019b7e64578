"""What every command shares: the global options, before or after the command's name, and the report of errors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from memsvc_client.cli.completion import namespaces
from memsvc_client.cli.output import Output, exit_code
from memsvc_client.errors import InvalidArgument, MemsvcError

if TYPE_CHECKING:
    from memsvc_client.async_client import AsyncMemoryClient
    from memsvc_client.client import MemoryClient

GLOBAL_PANEL = "Global options"

F = TypeVar("F", bound=Callable[..., None])

URL_HELP = "Address of the service."
NAMESPACE_HELP = "Namespace to work in."
KEY_FILE_HELP = "File that holds the API key (else MEMSVC_API_KEY)."
TIMEOUT_HELP = "Longest wait for one answer, in seconds."
JSON_HELP = "Plain JSON on stdout."


@dataclass(frozen=True, slots=True)
class Session:
    """The global options of one run."""

    url: str | None = None
    namespace: str | None = None
    api_key_file: Path | None = None
    timeout_s: float = 60.0
    as_json: bool = False

    @property
    def output(self) -> Output:
        """Where results and errors go."""
        return Output(self.as_json)

    def merged(self, given: dict[str, Any]) -> Session:
        """With the options that stand after the command's name; they win."""
        return Session(**{name: given[name] or getattr(self, name) for name in self.__slots__})

    def client(self) -> MemoryClient:
        """A client with these options.

        Raises:
            InvalidArgument: The key file cannot be read.
        """
        from memsvc_client.client import MemoryClient  # not at the top: help and completion do not wait for it

        return MemoryClient(self.url, self.api_key(), namespace=self.namespace, timeout_s=self.timeout_s)

    def async_client(self) -> AsyncMemoryClient:
        """The same for an event loop."""
        from memsvc_client.async_client import AsyncMemoryClient

        return AsyncMemoryClient(self.url, self.api_key(), namespace=self.namespace, timeout_s=self.timeout_s)

    def api_key(self) -> str | None:
        """The key of the file, or None where none was named.

        Raises:
            InvalidArgument: The file cannot be read, or is empty.
        """
        if self.api_key_file is None:
            return None
        try:
            key = self.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidArgument("the API key file cannot be read") from error
        if not key:
            raise InvalidArgument("the API key file is empty")
        return key


def _option(
    name: str,
    kind: Any,
    *flags: str,
    text: str,
    default: Any = None,
    least: float | None = None,
    complete: Callable[..., list[str]] | None = None,
) -> Parameter:
    info = typer.Option(
        *flags, help=text, min=least, rich_help_panel=GLOBAL_PANEL, show_default=False, autocompletion=complete
    )
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


# No environment variables here: they are read once, at the root, or they would win over an option given there.
_GLOBALS = (
    _option("url", str | None, "--url", text=URL_HELP),
    _option("namespace", str | None, "--namespace", "-n", text=NAMESPACE_HELP, complete=namespaces),
    _option("api_key_file", Path | None, "--api-key-file", text=KEY_FILE_HELP),
    _option("timeout_s", float | None, "--timeout-s", text=TIMEOUT_HELP, least=0.001),
    _option("as_json", bool, "--json", text=JSON_HELP, default=False),
)


def command(app: typer.Typer, name: str | None = None, *, extra: Sequence[Parameter] = ()) -> Callable[[F], F]:
    """Registers a function `(session, ...)` as a command that also takes the global options.

    Expected errors end the command with a message and the exit code for them, never with a traceback.

    Args:
        app: Where to register.
        name: Name of the command; default the function's.
        extra: Options that several commands share; the function takes them as `**fields`.
    """

    def register(function: F) -> F:
        _, *named = inspect.signature(function, eval_str=True).parameters.values()
        own = [item for item in named if item.kind is not Parameter.VAR_KEYWORD]
        context = Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        parameters = [context, *own, *extra, *_GLOBALS]

        @functools.wraps(function)
        def run(ctx: typer.Context, **values: Any) -> None:
            session = ctx.obj.merged({option.name: values.pop(option.name) for option in _GLOBALS})
            try:
                function(session, **values)
            except MemsvcError as error:
                session.output.error(error)
                raise typer.Exit(exit_code(error)) from None

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in parameters}
        app.command(name)(run)
        return function

    return register
