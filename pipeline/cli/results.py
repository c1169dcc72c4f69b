"""`fusetrack export`, `evaluate`, `report` and `summary`: commands on a run directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import console, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.run_directory.reader import RunDirectory
    from pipeline.run_directory.schema import CameraRecord

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
RunningRedisOption = Annotated[
    str | None,
    typer.Option(envvar="FUSETRACK_REDIS", help="Redis URL of the running site."),
]
RunningSiteOption = Annotated[str | None, typer.Option(help="Name of the site in that Redis.")]
_TIME = "Date (UTC) or seconds since 1970"
SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help=f"{_TIME}: leave out what is earlier.")
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="TIME", help=f"{_TIME}: leave out this and what is later.")
]
CamerasOption = Annotated[
    list[str] | None,
    typer.Option("--camera", metavar="NAME", help="Only this camera; may be given several times."),
]


def export(
    run: RunArgument,
    format: Annotated[str, typer.Option(help="Format to write.")],
    out: Annotated[Path | None, typer.Option(help="File or folder to write.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Write the trajectories as csv, parquet, jsonl, mot, coco, kitti, geojson, cvat, fiftyone."""
    from pipeline.exports import export_run

    typer.echo(export_run(_selected(run, since, until, camera), format, out))


def evaluate(
    run: RunArgument,
    ground_truth: Annotated[Path, typer.Option(help="MOT files, PETS xml or WILDTRACK json.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Score a run against ground truth: cameras by track id, all cameras by global id."""
    from pipeline.evaluation import COLUMNS, evaluate_run, table_rows

    evaluation = evaluate_run(_selected(run, since, until, camera), ground_truth)
    if as_json:
        typer.echo(json.dumps(evaluation.as_dict()))
        return
    table = table_of(*COLUMNS, title="scores")
    for row in table_rows(evaluation):
        table.add_row(*row)
    console().print(table)
    if evaluation.left_out:
        typer.echo(f"without ground truth: {', '.join(evaluation.left_out)}", err=True)
    if evaluation.doubled:
        typer.echo(f"{evaluation.doubled} boxes share a global id in one frame", err=True)


def report(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="Page to write. Default: RUN/report.html.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Write a report of the run as one self-contained HTML page."""
    from pipeline.report import write_report

    typer.echo(write_report(_selected(run, since, until, camera), out))


def summary(
    run: RunArgument,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
) -> None:
    """Print the cameras and people of a run, and the paths of its files."""
    directory = _selected(run, since, until, camera)
    out = console()
    out.print(_camera_table(directory.cameras()))
    out.print(_people_table(directory))
    for path in sorted(directory.path.iterdir()):
        typer.echo(path)


def _selected(
    run: Path, since: str | None, until: str | None, cameras: list[str] | None
) -> RunDirectory:
    from pipeline.run_directory.reader import RunDirectory
    from pipeline.run_directory.selection import selection_of

    return RunDirectory(run, selection_of(since, until, cameras))


def _camera_table(cameras: list[CameraRecord]) -> Table:
    table = table_of("camera", "frames", "size", "state", title="cameras")
    for camera in cameras:
        size = f"{camera.width}x{camera.height}"
        table.add_row(camera.camera_id, str(camera.frames), size, camera.detail or camera.state)
    return table


def _people_table(run: RunDirectory) -> Table:
    from pipeline.pictures.clock import Clock
    from pipeline.run_directory.people_table import people

    start = min((camera.start for camera in run.cameras() if camera.frames), default=0.0)
    clock = Clock(start, start)
    rows = people(run).to_dicts()
    named = ["name"] if any(row["name"] for row in rows) else []
    columns = ("cameras", "tracks", "boxes", "from", "to", "confidence")
    table = table_of("id", *named, *columns, title="people")
    for row in rows:
        table.add_row(
            str(row["global_id"]),
            *(row[column] or "" for column in named),
            ", ".join(row["cameras"]),
            str(row["tracks"]),
            str(row["observations"]),
            clock.moment(row["first"]),
            clock.moment(row["last"]),
            f"{row['confidence']:.2f}",
        )
    return table
