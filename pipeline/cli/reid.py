"""`fusetrack reid`: train, evaluate, explain and export ReID networks."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import console, say, table_of
from pipeline.errors import UserError, unknown_name

if TYPE_CHECKING:
    from rich.progress import Progress

    from reid_model.data import ReidSet
    from reid_model.training.state import TrainingProgress as Step


reid = typer.Typer(help="Train and evaluate ReID networks.", no_args_is_help=True)

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name from `fusetrack weights list`, or a file.")
]
Data = Annotated[Path, typer.Option(help="Folder of the data set.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
TrainedModel = Annotated[
    str, typer.Argument(metavar="MODEL", help="Model trained by `reid train`.")
]


@reid.command()
def summary(
    width: Annotated[int, typer.Option(help="Channels of the stem; 64 for ResNet-50.")] = 64,
    mscsa: Annotated[int, typer.Option(min=0, max=4, help="MSCSA modules.")] = 3,
    classes: Annotated[int, typer.Option(min=1, help="Identities to train on.")] = 751,
) -> None:
    """Print the parameter count of each part of the model."""
    from pipeline.reid.training import parameter_counts

    with _user_errors():
        counts = parameter_counts(width, mscsa, classes)
    table = table_of("part", "parameters", "training only")
    for part, (count, deployed) in counts.items():
        table.add_row(part, f"{count:,}", "" if deployed else "yes")
    for what, total in (
        ("deployed embedder", sum(count for count, deployed in counts.values() if deployed)),
        ("everything", sum(count for count, _ in counts.values())),
    ):
        table.add_row(what, f"{total:,}", "")
    console().print(table)


@reid.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name or YAML file.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the model and its checkpoints.")],
    clip: Annotated[Path | None, typer.Option(help="CLIP weights, a local file.")] = None,
    imagenet: Annotated[
        bool,
        typer.Option(help="Start from an ImageNet ResNet-50 (weights pull imagenet-resnet50)."),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(help="Model file, or --out of an earlier training, to start from."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Continue the training in --out.")] = False,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that load pictures.")] = 2,
) -> None:
    """Train a model by RECIPE. After Ctrl-C, --resume continues without loss."""
    from pipeline.devices import resolve_device
    from pipeline.reid.recipe_file import load_recipe
    from pipeline.reid.training import encoders_of, starting_weights, teachers_of
    from pipeline.runtime.stopping import Stop, signals
    from reid_model.training.run import train as run_training

    checked = load_recipe(recipe)
    reid_set = _read(checked.data, data)
    stop = Stop()
    with _user_errors(), signals(stop), _reported() as report:
        encoder, text_encoder = encoders_of(checked, clip, imagenet, reid_set)
        with _bar("teachers") as progress:
            teachers = teachers_of(checked, reid_set, device, progress)
        path = run_training(
            checked,
            reid_set,
            out,
            device=resolve_device(device),
            encoder=encoder,
            text_encoder=text_encoder,
            start=starting_weights(checked, start),
            teachers=teachers,
            workers=workers,
            resume=resume,
            report=report,
            stop=stop.input.is_set,
        )
    if path is None:
        say(f"stopped; continue with --resume --out {out}")
        sys.exit(128 + signal.Signals(stop.signal or signal.SIGINT))
    typer.echo(path)


@reid.command()
def evaluate(
    model: Model,
    data: Data,
    set_name: Annotated[str, typer.Option("--set", metavar="NAME", help="Type of the data set.")],
    rerank: Annotated[bool, typer.Option(help="k-reciprocal re-ranking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
    device: Device = "auto",
) -> None:
    """Evaluate MODEL on query and gallery: CMC ranks and mean average precision."""
    from pipeline.reid.models import evaluate_model, open_model

    reid_set = _read(set_name, data)
    embedder = open_model(model, device)
    with _bar("embedding") as progress, _user_errors():
        found = evaluate_model(embedder, reid_set, progress, rerank)
    if as_json:
        typer.echo(json.dumps({"model": model, "set": set_name, "reranked": rerank, **found}))
        return
    table = table_of("model", *found)
    table.add_row(model, *(str(value) for value in found.values()))
    console().print(table)


@reid.command()
def embed(
    model: Model,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures, at any depth.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    device: Device = "auto",
) -> None:
    """Write a Parquet file with path and embedding of every picture in FOLDER."""
    from pipeline.reid.models import embed_folder, open_model

    embedder = open_model(model, device)
    with _bar("embedding") as progress:
        count = embed_folder(embedder, folder, out, progress)
    say(f"{count} embeddings of dimension {embedder.dimension}")
    typer.echo(out)


def _read(name: str, folder: Path) -> "ReidSet":
    from reid_model.data import READERS

    if name not in READERS:
        raise unknown_name("data set", name, READERS)
    with _user_errors():
        return READERS[name](folder)


@contextmanager
def _user_errors() -> Iterator[None]:
    """Convert input errors of reid_model into UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or 'a file'}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(str(error)) from error


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of pictures on stderr, if that is a terminal."""
    with _progress() as progress:
        task = progress.add_task(what)
        yield lambda done, count: progress.update(task, completed=done, total=count)


@contextmanager
def _reported() -> Iterator[Callable[["Step"], None]]:
    """A progress bar of the epoch on a terminal, and always a line after each epoch."""
    with _progress() as progress:
        task = progress.add_task("training")

        def report(step: "Step") -> None:
            what = f"{step.what} {step.epoch}/{step.epochs}"
            progress.update(task, completed=step.step, total=step.steps, description=what)
            if step.step == step.steps:
                progress.console.print(_line(step), markup=False, highlight=False)

        yield report


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, soft_wrap=True)
    return Progress(console=console, disable=not sys.stderr.isatty())


def _line(step: "Step") -> str:
    if not step.losses:
        return f"{step.what}: {step.steps} pictures"
    losses = ", ".join(f"{name} {value:.3f}" for name, value in step.losses.items())
    return (
        f"{step.what}, epoch {step.epoch} of {step.epochs}: {losses}, "
        f"rate {step.learning_rate:.2e}, {step.images_per_s:.0f} pictures/s"
    )


@reid.command("explain")
def explain_model(
    model: TrainedModel,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Crops of people.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .jpg or .webp.")],
    beside: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A second model, for comparison.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Crop of a person to compare with.")
    ] = None,
    stage: Annotated[int, typer.Option(help="Stage of the network: 4 (last) or 3 (finer).")] = 4,
) -> None:
    """Draw the regions of each IMAGE that determine its embedding, as heat maps (Grad-CAM).

    Hot regions increase the embedding; with --to, its similarity to that person's.
    """
    from pipeline.reid.explain_sheet import write_sheet

    if stage not in (3, 4):
        raise UserError(f"--stage must be 3 or 4, got {stage}")
    models = [model] if beside is None else [model, beside]
    write_sheet(models, images, out, to, 3 if stage == 3 else 4)
    typer.echo(out)


@reid.command("export")
def export_model(
    model: TrainedModel,
    how: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="onnx, openvino or torchscript.")
    ],
    out: Annotated[Path, typer.Option(help="File to write: .onnx, .xml or .pt.")],
) -> None:
    """Export MODEL with a variable batch size.

    The export is verified against PyTorch (cosine of at least 0.999) and discarded if it differs.
    """
    from pipeline.reid.export import export_file

    cosine = export_file(model, how, out)
    say(f"{how}: the smallest cosine to PyTorch's embeddings is {cosine:.6f}")
    typer.echo(out)
