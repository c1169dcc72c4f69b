"""Ground truth in the xml of PETS 2009: ``dataset/frame/objectlist/object/box``."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import polars as pl

from pipeline.errors import UserError
from pipeline.evaluation.boxes import SCHEMA, BoxRow


def pets_boxes(path: Path, camera_id: str) -> Iterator[pl.DataFrame]:
    """The boxes of one file, in one part. Frames count from 0: frame n is frame n of the video."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise UserError(f"cannot read the ground truth {path}: {error}. Expected xml") from error
    if root.tag != "dataset":
        raise UserError(f"{path}: expected <dataset> with <frame>s (PETS 2009), got <{root.tag}>")
    rows = [row for frame in root.iter("frame") for row in _rows(frame, camera_id, path)]
    yield pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(frame: Element, camera_id: str, path: Path) -> Iterator[BoxRow]:
    for person in frame.iter("object"):
        try:
            yield _row(int(frame.attrib["number"]), person, camera_id)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{path}: frame {frame.get('number')}, object {person.get('id')}: expected a whole "
                f"number and id, and <box h= w= xc= yc=> in pixels ({error!r})"
            ) from None


def _row(frame_index: int, person: Element, camera_id: str) -> BoxRow:
    box = person.find("box")
    if box is None:
        raise ValueError("no <box>")
    height, width, x, y = (float(box.attrib[key]) for key in ("h", "w", "xc", "yc"))
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return (camera_id, frame_index, int(person.attrib["id"]), *corners)
