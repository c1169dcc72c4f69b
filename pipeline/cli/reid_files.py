"""`fusetrack reid explain` and `fusetrack reid export`: heat maps and exports of a model."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.output import say
from pipeline.errors import UserError

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Model trained by `reid train`.")]


def explain_model(
    model: Model,
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


def export_model(
    model: Model,
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
