"""The sheet of heat maps: where its cells are, and what may not be drawn."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.reid.explain_sheet import (
    CELL_HEIGHT,
    CELL_WIDTH,
    GAP,
    TITLE,
    draw_sheet,
    overlay_heat,
    write_sheet,
)
from reid_model.training.model_files import save_model
from reid_toys import toy_embedder, toy_model, toy_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    save_model(path, toy_embedder(toy_model()), toy_model())
    return str(path)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for path, picture in zip(paths, toy_pictures(), strict=False):
        cv2.imwrite(str(path), picture)
    return paths


def cell(drawn: np.ndarray, row: int, column: int) -> np.ndarray:
    top = TITLE + GAP + row * (CELL_HEIGHT + GAP)
    left = GAP + column * (CELL_WIDTH + GAP)
    return drawn[top : top + CELL_HEIGHT, left : left + CELL_WIDTH]


def test_every_cell_is_in_its_place_on_white() -> None:
    shades = [[10, 20, 30], [40, 50, 60]]
    rows = [[np.full((CELL_HEIGHT, CELL_WIDTH, 3), v, np.uint8) for v in row] for row in shades]
    drawn = draw_sheet(["input", "A", "a title that is much too long for its column"], rows)
    assert drawn.shape == (TITLE + GAP + 2 * (256 + 4), GAP + 3 * (128 + 4), 3)
    for row, column in np.ndindex(2, 3):
        assert np.unique(cell(drawn, row, column)).tolist() == [shades[row][column]]
        cell(drawn, row, column)[:] = 255
    assert drawn[TITLE:].min() == 255
    for column in range(3):
        left = GAP + column * (CELL_WIDTH + GAP)
        assert drawn[:TITLE, left : left + CELL_WIDTH].min() < 100
        assert drawn[:TITLE, left - GAP : left].min() == 255


def test_heat_is_red_and_cold_is_blue() -> None:
    heat = np.array([[0, 1]], np.float32)
    cold, hot = overlay_heat(np.full((1, 2, 3), 100, np.uint8), heat)[0].astype(int)
    assert cold.argmax() == 0
    assert hot.argmax() == 2


@pytest.mark.parametrize("models", [1, 2])
def test_a_row_for_each_picture_and_a_column_for_each_model(
    models: int, model: str, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "sheet.png"
    write_sheet([model] * models, images, out, None, 4)
    drawn = cv2.imread(str(out))
    assert drawn.shape == (TITLE + GAP + 2 * (256 + 4), GAP + (1 + models) * (128 + 4), 3)
    for row, picture in enumerate(toy_pictures()[:2]):
        shown = cv2.resize(picture, (CELL_WIDTH, CELL_HEIGHT)).astype(int)
        assert np.abs(cell(drawn, row, 0) - shown).mean() < 2
        assert np.abs(cell(drawn, row, 1) - shown).mean() > 10
        # Two times one model: two times one map.
        np.testing.assert_array_equal(cell(drawn, row, models), cell(drawn, row, 1))
    assert {path.name for path in tmp_path.iterdir()} == {"0.png", "1.png", "sheet.png"}


def test_a_person_to_compare_with_changes_the_maps(
    model: str, images: list[Path], tmp_path: Path
) -> None:
    sheets = []
    for to in (None, images[1]):
        write_sheet([model], images[:1], tmp_path / "sheet.png", to, 3)
        sheets.append(cv2.imread(str(tmp_path / "sheet.png")).astype(int))
    assert np.abs(cell(sheets[0], 0, 1) - cell(sheets[1], 0, 1)).max() > 10


def test_what_cannot_be_drawn_is_named(model: str, images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    (tmp_path / "words.jpg").write_text("no picture")
    other = tmp_path / "net.onnx"
    other.touch()
    for arguments, words in (
        (([model], [tmp_path / "gone.jpg"], out, None), "gone.jpg does not exist"),
        (([model], [tmp_path / "words.jpg"], out, None), "words.jpg cannot be read as a picture"),
        (([model], images, out, tmp_path / "gone.jpg"), "gone.jpg does not exist"),
        (([model], images, tmp_path / "sheet.gif", None), "must end with one of .png"),
        (([model], images, tmp_path / "gone" / "sheet.png", None), "cannot write"),
        (([model, str(other)], images, out, None), "is not a model of `fusetrack reid train`"),
        (([str(tmp_path / "no.safetensors")], images, out, None), "no such weights file"),
    ):
        with pytest.raises(UserError, match=words):
            write_sheet(*arguments, 4)
    assert not out.exists()
