"""`fusetrack reid explain` and `fusetrack reid export`: a trained model as a picture or a file."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.output import say
from pipeline.errors import UserError

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Model of `reid train`.")]


def explain_model(
    model: Model,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Crops of people.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .jpg or .webp.")],
    beside: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A second model, for comparison.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="A person: what looks like them?")
    ] = None,
    stage: Annotated[int, typer.Option(help="Whose map: 4, the last, or 3, finer.")] = 4,
) -> None:
    """Draw what MODEL looks at in each IMAGE, as heat maps (Grad-CAM).

    Hot is what makes the embedding large; with --to, what makes it like that person's.
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
    """Write MODEL for other programs, for any number of pictures at once.

    The file is read again and must give PyTorch's vectors (cosine 0.999), else it is not kept.
    """
    from pipeline.reid.export import export_file

    cosine = export_file(model, how, out)
    say(f"{how}: the least cosine to PyTorch's vectors is {cosine:.6f}")
    typer.echo(out)
