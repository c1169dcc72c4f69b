"""`fusetrack export`, `evaluate` and `report`: what to do with a run directory."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.cli.output import console
from pipeline.run_directory.reader import RunDirectory

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]


def export(
    run: RunArgument,
    format: Annotated[str, typer.Option(help="What to write.")],
    out: Annotated[Path | None, typer.Option(help="File or folder to write.")] = None,
) -> None:
    """Write the trajectories as csv, parquet, jsonl, mot, coco, kitti, geojson, cvat, fiftyone."""
    from pipeline.exports import export_run

    typer.echo(export_run(RunDirectory(run), format, out))


def evaluate(
    run: RunArgument,
    ground_truth: Annotated[Path, typer.Option(help="MOT files, PETS xml or WILDTRACK json.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Score a run: each camera by track id, and over all cameras by global id."""
    from pipeline.evaluation import COLUMNS, evaluate_run, table_rows

    evaluation = evaluate_run(RunDirectory(run), ground_truth)
    if as_json:
        typer.echo(json.dumps(evaluation.as_dict()))
        return
    table = Table(*COLUMNS)
    for row in table_rows(evaluation):
        table.add_row(*row)
    console().print(table)
    if evaluation.left_out:
        typer.echo(f"without ground truth: {', '.join(evaluation.left_out)}", err=True)
    if evaluation.doubled:
        typer.echo(f"{evaluation.doubled} boxes share a global id in one frame", err=True)


def report(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="Page to write; RUN/report.html.")] = None,
) -> None:
    """Write one self-contained HTML page to look at."""
    from pipeline.report import write_report

    typer.echo(write_report(RunDirectory(run), out))


def summary(run: RunArgument) -> None:
    """Print who was seen where, and where the results are."""
    from pipeline.summary import people

    directory = RunDirectory(run)
    cameras = Table("camera", "frames", "size", "state", title="cameras")
    for camera in directory.cameras():
        size = f"{camera.width}x{camera.height}"
        cameras.add_row(camera.camera_id, str(camera.frames), size, camera.detail or camera.state)
    persons = Table("global id", "cameras", "tracks", "observations", "from", "to", "confidence")
    persons.title = "people"
    for row in people(directory).iter_rows(named=True):
        persons.add_row(
            str(row["global_id"]),
            ", ".join(row["cameras"]),
            str(row["tracks"]),
            str(row["observations"]),
            f"{row['first']:.2f}",
            f"{row['last']:.2f}",
            f"{row['confidence']:.2f}",
        )
    console().print(cameras)
    console().print(persons)
    for path in sorted(directory.path.iterdir()):
        typer.echo(path)
