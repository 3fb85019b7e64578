"""`memsvc keys`: API keys, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, grid, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument

if TYPE_CHECKING:
    from memsvc_client.types import NewKey

_HEADS = ("id", "name", "prefix", "roles", "namespaces", "trust", "last used", "expires", "revoked")

app = typer.Typer(no_args_is_help=True, help="Make, rotate and revoke API keys.")


@command(app)
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What people call the key.", metavar="NAME")],
    *,
    roles: Annotated[list[opt.RoleChoice], typer.Option("--role", help="What it may do; repeatable.")],
    allow: Annotated[
        list[str] | None, typer.Option(help="Namespaces it may touch, such as user/**; repeatable; default all.")
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(help=f"When it stops working. {opt.TIME_NOTE}", metavar="TIME")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Where it may be used from, such as 10.0.0.0/8; repeatable.")
    ] = None,
    trust: Annotated[opt.TrustChoice, typer.Option(help="How far its holder is to be believed.")] = (
        opt.TrustChoice.AGENT
    ),
) -> None:
    """Make a key and print its secret, this once."""
    with session.client() as client:
        made = client.keys.create(
            name,
            roles=[role.value for role in roles],
            namespaces=allow or ["**"],
            expires_at=opt.parse_time(expires_at, "expires_at"),
            networks=network or None,
            trust=trust.value,
        )
    _show(session, made)


@command(app)
def rotate(
    session: Session,
    key_id: Annotated[str, typer.Argument(help="Id of the old key.", metavar="ID")],
    *,
    overlap_s: Annotated[int, typer.Option(help="So long the old key goes on to work.", min=0)] = 86_400,
    expires_at: Annotated[
        str | None,
        typer.Option(help="When the new key stops working; default: it lives as long as the old one.", metavar="TIME"),
    ] = None,
) -> None:
    """Make the key that follows a key, and print its secret, this once. Both work until the overlap is over."""
    with session.client() as client:
        ends = opt.parse_time(expires_at, "expires_at")
        made = client.keys.rotate(key_id, overlap_s=overlap_s, expires_at=ends)
    _show(session, made)


@command(app, "list")
def list_(session: Session) -> None:
    """List the keys, without their secrets."""
    with session.client() as client:
        keys = [*client.keys.list()]
    rows = (
        (
            k.id,
            k.name,
            k.prefix,
            ", ".join(k.roles),
            ", ".join(k.namespaces),
            k.trust,
            k.last_used_at,
            k.expires_at,
            k.revoked_at,
        )
        for k in keys
    )
    session.output.show(
        {"items": [key.model_dump(mode="json") for key in keys]},
        lambda: table(_HEADS, rows),
    )


@command(app)
def limits(
    session: Session,
    key_id: Annotated[str | None, typer.Argument(help="Id of the key whose limits to set.", metavar="ID")] = None,
    *,
    set_: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="JSON object with requests_per_s, requests_burst, tokens_per_day, in the place of what was set; "
            "null: no limit; what is not named is as the server has it.",
            metavar="JSON",
        ),
    ] = None,
) -> None:
    """Set the limits of a key; without an ID, show those in force for this key and its tenant, and what is used."""
    if (key_id is None) != (set_ is None):
        raise InvalidArgument("setting limits takes both an ID and --set")
    with session.client() as client:
        if key_id is None or set_ is None:
            found = client.limits()
            shown = {
                f"{who}.{name}": value
                for who, part in found.model_dump().items()
                for name, value in (part or {}).items()
            }
            session.output.show(found.model_dump(mode="json"), lambda: grid(shown))
            return
        made = client.keys.set_limits(key_id, opt.json_object(set_, "--set"))
    session.output.show(made.model_dump(mode="json"), lambda: grid(made.limits.model_dump()))


@command(app)
def revoke(session: Session, key_id: Annotated[str, typer.Argument(help="Id of the key.", metavar="ID")]) -> None:
    """End a key at once."""
    with session.client() as client:
        client.keys.revoke(key_id)
    session.output.show({"revoked": key_id}, lambda: clean(f"revoked {key_id}"))


def _show(session: Session, made: NewKey) -> None:
    session.output.show(
        made.model_dump(mode="json"),
        lambda: grid({"id": made.key.id, "name": made.key.name, "secret": made.secret}),
    )
    session.output.note("keep the secret now: it is not shown again")
