"""`fusetrack reid explain`: heat maps of several models side by side, one row per picture."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError, writing
from pipeline.reid.export import trained_network
from reid_model.atomic_file import replacing
from reid_model.data.picture_files import read_picture
from reid_model.explain import Stage, heat_maps
from reid_model.preprocess import resize_crops

Image = NDArray[np.uint8]

#: Pixels: size of a cell, height of the title line, gap between cells.
CELL_HEIGHT, CELL_WIDTH, TITLE, GAP = 256, 128, 20, 4
_HEAT = 0.5
_FORMATS = (".png", ".jpg", ".jpeg", ".webp")


def write_sheet(
    models: Sequence[str], images: Sequence[Path], out: Path, to: Path | None, stage: Stage
) -> None:
    """Write ``out``: each image and, beside it, the heat map of each model.

    ``to`` is the picture of a person with whom the images are compared. Raises UserError for a
    model that was not trained by `fusetrack reid train`, a file that is not a picture, and ``out``
    if it cannot be written or does not have the suffix of a picture.
    """
    if out.suffix.lower() not in _FORMATS:
        raise UserError(f"{out} must end with one of {', '.join(_FORMATS)}")
    crops = [_crop(image) for image in images]
    reference = None if to is None else _crop(to)
    columns = [_inputs(crops)] + [_explained(name, crops, reference, stage) for name in models]
    drawn = draw_sheet(
        ["input", *(Path(name).stem for name in models)], list(zip(*columns, strict=True))
    )
    with writing(out), replacing(out) as partial:
        partial.write_bytes(cv2.imencode(out.suffix, drawn)[1].tobytes())


def draw_sheet(titles: Sequence[str], rows: Sequence[Sequence[Image]]) -> Image:
    """Titles above columns of cells ``(CELL_HEIGHT, CELL_WIDTH, 3)`` uint8 BGR, on white."""
    height = TITLE + len(rows) * (CELL_HEIGHT + GAP) + GAP
    width = len(titles) * (CELL_WIDTH + GAP) + GAP
    drawn = np.full((height, width, 3), 255, np.uint8)
    for column, title in enumerate(titles):
        left = GAP + column * (CELL_WIDTH + GAP)
        _write(drawn[:TITLE, left : left + CELL_WIDTH], title)
        for line, row in enumerate(rows):
            top = TITLE + GAP + line * (CELL_HEIGHT + GAP)
            drawn[top : top + CELL_HEIGHT, left : left + CELL_WIDTH] = row[column]
    return drawn


def overlay_heat(picture: Image, heat: NDArray[np.float32]) -> Image:
    """A BGR picture ``(H, W, 3)`` with ``heat`` ``(H, W)`` in 0..1 overlaid, blue to red."""
    colours = cv2.applyColorMap(np.round(heat * 255).astype(np.uint8), cv2.COLORMAP_JET)
    return np.asarray(cv2.addWeighted(picture, 1 - _HEAT, colours, _HEAT, 0), np.uint8)


def _explained(name: str, crops: list[Image], reference: Image | None, stage: Stage) -> list[Image]:
    network, spec = trained_network(name)
    pictures = resize_crops(crops, spec.height, spec.width)
    wanted = None if reference is None else resize_crops([reference], spec.height, spec.width)[0]
    # One at a time, so that hundreds of pictures fit into memory.
    heats = [heat_maps(network, spec, picture[None], wanted, stage)[0] for picture in pictures]
    return [
        overlay_heat(cell, cv2.resize(heat, (CELL_WIDTH, CELL_HEIGHT)))
        for cell, heat in zip(_inputs(crops), heats, strict=True)
    ]


def _inputs(crops: list[Image]) -> list[Image]:
    return list(resize_crops(crops, CELL_HEIGHT, CELL_WIDTH))


def _crop(path: Path) -> Image:
    try:
        rgb = read_picture(path)
    except ValueError as error:
        raise UserError(str(error)) from error
    crop: Image = np.ascontiguousarray(rgb.permute(1, 2, 0).numpy()[:, :, ::-1])
    return crop


def _write(strip: Image, text: str) -> None:
    """Draw as much of the text as fits, in black; OpenCV draws ASCII only."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    shown = text.encode("ascii", "replace").decode()
    while cv2.getTextSize(shown, font, scale, 1)[0][0] > strip.shape[1]:
        shown = shown[:-1]
    cv2.putText(strip, shown, (0, TITLE - 6), font, scale, (0, 0, 0), 1, cv2.LINE_AA)
