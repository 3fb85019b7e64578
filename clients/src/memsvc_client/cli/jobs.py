"""`memsvc jobs`: how the memories of a namespace fade, what was done to them, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import grid, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument

if TYPE_CHECKING:
    from memsvc_client.types import Care, JobRun

app = typer.Typer(no_args_is_help=True, help="Work on a namespace: policy, runs, reports, undo.")

RunId = Annotated[str, typer.Argument(help="Id of the run.", metavar="RUN")]


@command(app)
def policy(
    session: Session,
    *,
    set_: Annotated[
        str | None,
        typer.Option("--set", help='The policy as JSON, such as {"below": {"archived": 0.1}}; {} is the default.'),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND=WHEN: a cron line in UTC or `every <n>s`; repeatable. All schedules are set: what is not named "
            "is on none; KIND= alone takes it off.",
            metavar="KIND=WHEN",
        ),
    ] = None,
    screen: Annotated[
        list[str] | None,
        typer.Option(
            help="FAMILY=ACTION: what is done about secrets and personal data in what is written: credential, card, "
            "iban, email or phone; off, flag, redact or reject; repeatable. What is not named is as by default.",
            metavar="FAMILY=ACTION",
        ),
    ] = None,
) -> None:
    """Show what is done to a namespace and when, or set some of it; the rest stays."""
    with session.client() as client:
        if set_ is None and not schedule and not screen:
            care = client.jobs.policy()
        else:
            policy_ = None if set_ is None else opt.json_object(set_, "--set")
            schedules = dict(map(_schedule, schedule)) if schedule else None
            screening = dict(map(_screen, screen)) if screen else None
            care = client.jobs.set_policy(policy_, schedules=schedules, screening=screening)
    session.output.show(care.model_dump(mode="json"), lambda: grid(_care(care)))


@command(app)
def run(
    session: Session,
    kind: Annotated[str, typer.Argument(help="What to do, such as fade.", metavar="KIND")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what would be done.")] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The moment to which rewind goes back.", metavar="TIME")
    ] = None,
    wait_s: Annotated[float, typer.Option(help="Wait so long for its end.", min=0.0)] = 60.0,
) -> None:
    """Do work on a namespace now."""
    moment = opt.parse_time(as_of, "as_of")
    with session.client() as client:
        done = client.jobs.run(kind, dry_run=dry_run, as_of=moment, wait_s=wait_s)
    _show(session, done)
    if dry_run:
        session.output.note(f"nothing was changed; memsvc jobs effects {done.id} shows what would be")


@command(app, "list")
def list_(session: Session, *, limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 20) -> None:
    """List the runs of a namespace, the newest first."""
    with session.client() as client:
        runs = [*client.jobs.list(limit=limit)]
    rows = ((run.id, run.kind, run.state, _counts(run), run.asked_by, run.ended_at) for run in runs)
    session.output.show(
        {"items": [run.model_dump(mode="json") for run in runs]},
        lambda: table(("id", "kind", "state", "done", "asked by", "ended"), rows),
    )


@command(app)
def show(session: Session, run_id: RunId) -> None:
    """Show one run, and how far it is."""
    with session.client() as client:
        _show(session, client.jobs.get(run_id))


@command(app)
def effects(
    session: Session, run_id: RunId, *, limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 100
) -> None:
    """Show what a run did, or would do, to each memory, and why."""
    with session.client() as client:
        found = [*client.jobs.effects(run_id, limit=limit)]
    rows = ((one.memory_id, one.action, _brief(one.before), _brief(one.after), _brief(one.why)) for one in found)
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("memory", "action", "before", "after", "why"), rows),
    )


@command(app)
def undo(
    session: Session,
    run_id: RunId,
    *,
    wait_s: Annotated[float, typer.Option(help="Wait so long for its end.", min=0.0)] = 60.0,
) -> None:
    """Take back what a run did, within 30 days."""
    with session.client() as client:
        _show(session, client.jobs.undo(run_id, wait_s=wait_s))


@command(app)
def cancel(session: Session, run_id: RunId) -> None:
    """End a run; what it did stays until it is undone."""
    with session.client() as client:
        _show(session, client.jobs.cancel(run_id))


def _schedule(text: str) -> tuple[str, str | None]:
    kind, equals, when = text.partition("=")
    if not equals:
        raise InvalidArgument("a schedule is KIND=WHEN, such as fade='0 3 * * *'")
    return kind, when or None


def _screen(text: str) -> tuple[str, str]:
    family, equals, action = text.partition("=")
    if not equals:
        raise InvalidArgument("--screen is FAMILY=ACTION, such as credential=redact")
    return family, action


def _care(care: Care) -> dict[str, Any]:
    shown = {name: _setting(value) for name, value in care.policy.model_dump().items()}
    shown["screening"] = _brief(dict(care.screening)) or "off"
    return shown | {f"schedule of {one.kind}": f"{one.schedule}, next {one.next_at}" for one in care.schedules}


def _setting(value: Any) -> Any:
    """A field of a policy on one line; what is not set shows as none."""
    if isinstance(value, dict):
        return _brief({name: " ".join(of) if isinstance(of, tuple) else of for name, of in value.items()}, "never")
    return "none" if value is None else value


def _show(session: Session, run: JobRun) -> None:
    facts = {"id": run.id, "kind": run.kind, "state": run.state, "dry run": run.dry_run, "done": _counts(run)}
    facts |= {"undoes": run.undoes} if run.undoes else {}
    facts |= {"report": _brief(run.report)} if run.report else {}
    facts |= {"problem": run.problem} if run.problem else {}
    session.output.show(run.model_dump(mode="json"), lambda: grid(facts))


def _counts(run: JobRun) -> str:
    return _brief(run.counts) or "nothing"


def _brief(values: dict[str, Any], without: str = "none") -> str:
    """Names and values on one line; `without` stands where there is no value."""
    return ", ".join(f"{name} {without if value is None else value}" for name, value in values.items())
