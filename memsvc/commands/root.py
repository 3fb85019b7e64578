"""The commands and their options; what they do stands in the modules beside this one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memsvc.commands import doctor as checks
from memsvc.commands import store
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from memsvc.repair.service import Damage

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="The memsvc server.")

REFUSED = 1

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the SQLite file and the secret (MEMSVC_DATA_DIR).")
]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="URL of PostgreSQL instead of SQLite (MEMSVC_DATABASE_URL).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on (MEMSVC_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one (MEMSVC_PORT).")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; more than one needs PostgreSQL.")] = 1,
) -> None:
    """Run the server until it is told to stop (Ctrl+C or SIGTERM)."""
    # Not at the top: `doctor` must run where the parts of the server cannot be imported.
    from memsvc.commands.server import run_server

    with _refusals():
        options = {"data_dir": data_dir, "database_url": database_url, "host": host, "port": port}
        run_server(load_settings(**options), workers, _say, options)


@app.command()
def gpu(*, database_url: DatabaseUrl = None) -> None:
    """Run the one process that has the device, for servers with the same MEMSVC_GPU_SOCKET."""
    from memsvc.commands.gpu import run_gpu

    with _refusals():
        run_gpu(_settings(None, database_url), _say)


@app.command()
def worker(*, database_url: DatabaseUrl = None) -> None:
    """Run a process that does the work on namespaces that is due (MEMSVC_JOBS=off leaves it to such a one)."""
    from memsvc.commands.jobs import run_worker

    with _refusals():
        run_worker(_settings(None, database_url), _say)


@app.command()
def lab(
    context: typer.Context,
    *,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=JSON or NAME=FILE, as of `jobs policy --set`; or a built-in one: default, fades. Repeatable; "
            "both built-in ones by default.",
            metavar="NAME=POLICY",
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="Replay the namespace (-n) of the service, by the times and uses of its memories."
        ),
    ] = False,
    days: Annotated[int, typer.Option(min=2, max=3650, help="Days of the made-up life.")] = 365,
    seed: Annotated[int, typer.Option(min=0, help="Of the made-up life.")] = 1,
    budget: Annotated[
        list[float] | None,
        typer.Option(
            min=0.01,
            max=1.0,
            help="Compare at this share of the bytes that keeping all takes; repeatable.",
            metavar="SHARE",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Draw it into this PNG (needs memsvc[lab]).", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Live a year in seconds: what policies would do to memories, and what of the needed would be found.

    Changes nothing. docs/lifecycle/lab.md says what is assumed.
    """
    from memsvc.commands import lab as laboratory

    with _refusals():
        wanted = laboratory.named_policies(policy or ())
        if replay:
            if context.obj is None:
                raise StartupRefused("--replay asks a service: call it as `memsvc -n NAMESPACE lab --replay`")
            with context.obj.client() as client:
                life, title = laboratory.a_namespace(client, context.obj.namespace)
        else:
            life, title = laboratory.a_life(days, seed)
        found = laboratory.run_lab(life, title, wanted, budget or (0.25, 0.5, 0.75), out)
    typer.echo(
        json.dumps(found) if as_json or (context.obj and context.obj.output.as_json) else laboratory.table(found)
    )


@app.command()
def migrate(*, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this release. `serve` does so too."""
    with _refusals():
        applied = store.migrate(_settings(data_dir, database_url))
    if as_json:
        typer.echo(json.dumps({"applied": applied}))
    else:
        typer.echo(f"applied {len(applied)} migrations: {', '.join(applied)}" if applied else "nothing to apply")


@app.command("admin-key")
def admin_key(
    *,
    tenant: Annotated[str, typer.Option(help="Tenant to make the key for; made if there is none.")] = "default",
    name: Annotated[str, typer.Option(help="Name of the key, for people.")] = "admin",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key with every role, from this machine. Its secret is printed once."""
    with _refusals():
        record, secret = store.admin_key(_settings(data_dir, database_url), tenant, name)
    if as_json:
        told = {"id": str(record.id), "tenant": tenant, "name": record.name, "roles": record.roles, "secret": secret}
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"key '{record.name}' of tenant '{tenant}'; it is shown this once:", err=True)
        typer.echo(secret)


@app.command("verify-audit")
def verify_audit(
    *,
    tenant: Annotated[str | None, typer.Option(help="Name of a tenant; default: all.")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry of the audit trails in the database; exits with 1 and names the first one that is broken."""
    with _refusals():
        verdicts = store.verify_audit(_settings(data_dir, database_url), tenant)
    if as_json:
        typer.echo(json.dumps({"tenants": verdicts}))
    else:
        for name, found in verdicts.items():
            typer.echo(f"{name}: {found['entries']} entries, " + (found["problem"] or "all are what they were"))
            if found["problem"]:
                typer.echo(f"{name}: the first broken entry is {found['broken_seq']}")
    if any(found["problem"] for found in verdicts.values()):
        raise typer.Exit(REFUSED)


@app.command()
def encrypt(*, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Encrypt what was written before MEMSVC_ROOT_KEY was given; there is no way back.

    Stopped, it goes on where it was. On PostgreSQL it runs beside servers, which all need the key; at the end it writes
    the tables anew, and they wait.
    """
    with _refusals():
        count, is_overwritten = store.encrypt(_settings(data_dir, database_url), _say)
    _say(f"{count} memories encrypted; all are now")
    if not is_overwritten:
        _say("what they were in the clear is still in free space of the files: run this again when fewer are reading")
        raise typer.Exit(REFUSED)


@app.command("rotate-root")
def rotate_root(*, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Have MEMSVC_ROOT_KEY take the place of MEMSVC_ROOT_KEY_FORMER: tenants' keys are wrapped anew, nothing else."""
    with _refusals():
        count = store.rotate_root(_settings(data_dir, database_url))
    _say(f"{count} keys wrapped anew; MEMSVC_ROOT_KEY_FORMER is needed by this database no more")


tombstones = typer.Typer(no_args_is_help=True, help="What was erased, for a backup that knows nothing of it.")
app.add_typer(tombstones, name="tombstones")

File = Annotated[Path, typer.Argument(help="The file.", metavar="FILE")]


@tombstones.command("save")
def save_tombstones(file: File, *, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Write the digests of all that was erased, of all tenants, into a new file."""
    with _refusals():
        _say(f"{store.save_tombstones(_settings(data_dir, database_url), file)} tombstones saved")


@tombstones.command("load")
def load_tombstones(file: File, *, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Add them to a database that a backup brought back; the next start erases again what bears them."""
    with _refusals():
        new = store.load_tombstones(_settings(data_dir, database_url), file)
    _say(f"{new} tombstones were new" + ("; start the server to erase what bears them" if new else ""))


@app.command("tenant-limits")
def tenant_limits(
    *,
    tenant: Annotated[str, typer.Option(help="Whose.")] = "default",
    wanted: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="JSON object with requests_per_s, requests_burst, tokens_per_day, memories, bytes, "
            "namespace_memories, namespace_bytes, in the place of what was set; null: no limit; what is not named is "
            "as the settings have it.",
            metavar="JSON",
        ),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the limits of a tenant, from this machine. Servers follow within two seconds."""
    with _refusals():
        limits, used = store.tenant_limits(_settings(data_dir, database_url), tenant, wanted)
    if as_json:
        typer.echo(json.dumps({"tenant": tenant, "limits": limits, "used": used}))
    else:
        for name, value in limits.items():
            typer.echo(f"{name}: {'no limit' if value is None else value}{_of(used.get(name))}")


@app.command()
def doctor(
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Look into the rows, and mend what is wrong there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what --repair would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Mend without asking before each.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check that the server can run here; exits with 1 if something is left to put right.

    Changes nothing but with --repair.
    """
    with _refusals():
        settings = _settings(data_dir, database_url)
        findings = checks.examine(settings)
        is_well = all(finding.level != "fail" for finding in findings)
        told: dict[str, object] = {"findings": [finding.as_dict() for finding in findings]}
        if not as_json:
            for finding in findings:
                typer.echo(f"{finding.level:<5} {finding.check}: {finding.message}")
        if repair or dry_run:
            # Not at the top: it needs what the checks must not.
            from memsvc.commands import repair as mending

            outcomes = []
            for outcome in mending.repair(settings, lambda damage: not dry_run and (yes or _agreed(damage, as_json))):
                outcomes.append(outcome.as_dict())
                is_well = is_well and not outcome.left
                if not as_json:
                    typer.echo(f"{outcome.check}: {outcome.found}\n  {outcome.done}")
            told["repairs"] = outcomes
            if not (outcomes or as_json):
                typer.echo("repair: nothing in the rows is wrong")
    if as_json:
        typer.echo(json.dumps(told))
    if not is_well:
        raise typer.Exit(REFUSED)


def _agreed(damage: Damage, as_json: bool) -> bool:
    return typer.confirm(f"{damage.found}\n  {damage.will}?", default=False, err=as_json)


def _settings(data_dir: Path | None, database_url: str | None, **others: object) -> Settings:
    return load_settings(data_dir=data_dir, database_url=database_url, **others)


def _of(used: int | None) -> str:
    return "" if used is None else f" ({used} used)"


def _say(message: str) -> None:
    typer.echo(f"memsvc: {message}", err=True)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn a refusal into one line on stderr and an exit code."""
    try:
        yield
    except StartupRefused as refused:
        _say(str(refused))
        raise typer.Exit(REFUSED) from None
