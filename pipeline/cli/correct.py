"""`fusetrack correct`: merge two people, split one, move a track, name a person, undo."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import console, table_of
from pipeline.cli.results import RunArgument, RunningRedisOption, RunningSiteOption
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def correct(
    run: RunArgument,
    merge: Annotated[
        int | None, typer.Option(metavar="ID", help="This person is the same as --into.")
    ] = None,
    into: Annotated[int | None, typer.Option(metavar="ID", help="Who keeps the id.")] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Merge also people whom one camera saw at the same time."),
    ] = False,
    split: Annotated[
        int | None, typer.Option(metavar="ID", help="From --at on this person is another one.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Date (UTC) or seconds since 1970.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="NAME", help="Split only what this camera saw.")
    ] = None,
    move: Annotated[
        str | None,
        typer.Option(metavar="CAMERA/TRACK", help="This track is --to, or a new person."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Of a track of several people: the part that begins then."
        ),
    ] = None,
    to: Annotated[int | None, typer.Option(metavar="ID", help="Whose the track is.")] = None,
    name: Annotated[
        int | None, typer.Option(metavar="ID", help="This person is called --as.")
    ] = None,
    called: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="The name; - removes it.")
    ] = None,
    undo: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Take back this correction.")
    ] = None,
    redis: RunningRedisOption = None,
    site: RunningSiteOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the running site.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Correct who is who in a run, also while its site is running; without options list it.

    A correction outranks every automatic decision. Each is recorded with who made it, and when.
    """
    from pipeline.corrections.request import correct_run
    from pipeline.run_directory.selection import moment
    from pipeline.user import user_name
    from trackers.association.corrections import Correction

    _check_whole(
        {
            "--into and --anyway": (merge, into, anyway or None),
            "--at and --camera": (split, at, camera),
            "--since and --to": (move, since, to),
            "--as": (name, called),
        },
        ("--merge", "--split", "--move", "--name"),
    )
    by, wanted = user_name(), list[Correction]()
    if merge is not None:
        wanted.append(Correction("merge", by=by, global_id=merge, into=into, anyway=anyway))
    if split is not None:
        when = None if at is None else moment(at)
        wanted.append(Correction("split", by=by, global_id=split, moment=when, camera_id=camera))
    if move is not None:
        camera_id, track_id = _track(move)
        first = None if since is None else moment(since)
        wanted.append(
            Correction("move", by=by, camera_id=camera_id, track_id=track_id, since=first, to=to)
        )
    if name is not None:
        text = "" if called == "-" else called
        wanted.append(Correction("name", by=by, global_id=name, name=text))
    if undo is not None:
        wanted.append(Correction("undo", by=by, undoes=undo))
    if not wanted:
        _list(run, as_json=as_json)
        return
    if len(wanted) > 1:
        raise UserError(
            "one correction at a time: expected one of --merge, --split, --move, --name and --undo"
        )
    made = correct_run(run, wanted[0], redis=redis, site=site, timeout_s=timeout)
    typer.echo(json.dumps(asdict(made)) if as_json else f"correction {made.number}: {made.text}")


def _check_whole(options: Mapping[str, tuple[object, ...]], needed: Sequence[str]) -> None:
    """Raise UserError for an option that means something only with another, which is not given."""
    for option, (said, (main, *others)) in zip(needed, options.items(), strict=True):
        if main is None and any(one is not None for one in others):
            raise UserError(f"{said} go with {option}: expected it too")


def _track(text: str) -> tuple[str, int]:
    camera_id, _, number = text.rpartition("/")
    if not camera_id or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise UserError(f"--move {text}: expected CAMERA/TRACK, such as gate/12")
    return camera_id, int(number)


def _list(run: Path, *, as_json: bool) -> None:
    from pipeline.pictures.clock import Clock
    from pipeline.run_directory.corrections import read_corrections
    from pipeline.run_directory.reader import RunDirectory
    from trackers.association.corrections import undone

    history = read_corrections(RunDirectory(run).path).history
    if as_json:
        typer.echo(json.dumps([asdict(made) for made in history]))
        return
    undone_by = undone(history)
    table = table_of("number", "by", "at", "what", "undone by", title="corrections")
    clock = Clock(history[0].at, history[-1].at) if history else None
    for made in history:
        number = undone_by.get(made.number)
        when = clock.moment(made.at) if clock else ""
        undoing = "" if number is None else str(number)
        table.add_row(str(made.number), made.by, when, made.text, undoing)
    console().print(table)
