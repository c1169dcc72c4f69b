"""The mosaic of a run: cameras side by side at one moment, with trails."""

from pathlib import Path

import av
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from builders import Observation, camera, make_run
from pipeline.pictures.colours import colour_of
from pipeline.pictures.mosaic import layout, write_mosaic
from pipeline.pictures.video import write_video
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.rewriting import remove_derived

Image = NDArray[np.uint8]
WIDTH, HEIGHT = 64, 48
GREYS = {"a": 60, "b": 120, "c": 200}


def run_with(
    folder: Path, starts: dict[str, float], rows: list[Observation] | None = None
) -> RunDirectory:
    """A run of which each camera has a rendered video of ten grey frames, ten a second."""
    cameras = [
        replace(camera(name, fps=10.0), width=WIDTH, height=HEIGHT, start=start, end=start + 0.9)
        for name, start in starts.items()
    ]
    seen = rows or [(name, 0, 1, (1.0, 1.0, 9.0, 9.0)) for name in starts]
    make_run(folder, seen, {(row[0], row[2]): 3 for row in rows or []}, cameras=cameras)
    (folder / "video").mkdir()
    for name in starts:
        image = np.full((HEIGHT, WIDTH, 3), GREYS[name], np.uint8)
        write_video(folder / "video" / f"{name}.mp4", ((n / 10, image) for n in range(10)))
    return RunDirectory(folder)


def frames_of(run: RunDirectory) -> list[Image]:
    path = write_mosaic(run)
    assert path == run.path / "mosaic.mp4"
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def greys(image: Image) -> list[int]:
    """The grey in the middle of the left and of the right tile."""
    height, width = image.shape[:2]
    return [int(image[height // 2, place * width // 4, 1]) for place in (1, 3)]


def test_cameras_are_shown_at_the_same_moment(tmp_path: Path) -> None:
    frames = frames_of(run_with(tmp_path / "run", {"a": 0.0, "b": 0.5}))
    assert len(frames) == 15
    assert greys(frames[0]) == pytest.approx([60, 24], abs=4)
    assert greys(frames[7]) == pytest.approx([60, 120], abs=4)


def test_time_without_any_camera_is_cut_and_an_ended_one_is_dark(tmp_path: Path) -> None:
    frames = frames_of(run_with(tmp_path / "run", {"a": 0.0, "b": 1e6}))
    assert len(frames) == 20
    assert greys(frames[9]) == pytest.approx([60, 24], abs=4)
    assert greys(frames[10]) == pytest.approx([24, 120], abs=4)


def test_a_trail_in_the_colour_of_the_person(tmp_path: Path) -> None:
    rows = [("a", n, 1, (4.0 + 5 * n, 4.0, 8.0 + 5 * n, 24.0)) for n in range(10)]
    frames = frames_of(run_with(tmp_path / "run", {"a": 0.0, "b": 0.0}, rows))
    tile = frames[9][:, : frames[9].shape[1] // 2].astype(int)
    coloured = np.abs(tile - colour_of(3)).max(axis=2) < 40
    across = np.flatnonzero(coloured.any(axis=0)) / tile.shape[1]
    down = np.flatnonzero(coloured.any(axis=1)) / tile.shape[0]
    assert (across.min(), across.max()) == pytest.approx((6 / 64, 51 / 64), abs=0.03)
    assert down.mean() == pytest.approx(0.5, abs=0.05)
    start = frames[0][:, : tile.shape[1]].astype(int)
    assert (np.abs(start - colour_of(3)).max(axis=2) < 40).sum() < coloured.sum() / 4


def test_one_camera_is_no_mosaic(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", {"a": 0.0, "b": 0.0})
    (run.path / "video" / "b.mp4").unlink()
    assert write_mosaic(run) is None
    assert not (run.path / "mosaic.mp4").exists()


def test_what_is_forgotten_is_in_no_mosaic(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", {"a": 0.0, "b": 0.0})
    write_mosaic(run)
    assert remove_derived(run.path)["mosaics"] == 1
    assert not (run.path / "mosaic.mp4").exists()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(1920, 1080)] * 4, (2, 960, 540)),
        ([(1088, 1920)] * 4, (4, 480, 846)),
        ([(640, 480)] * 2, (2, 960, 720)),
        ([(0, 0), (640, 360)], (1, 960, 540)),
        ([(1920, 1080)] * 7, (3, 640, 360)),
    ],
)
def test_the_whole_is_as_wide_as_a_screen(
    sizes: list[tuple[int, int]], expected: tuple[int, int, int]
) -> None:
    assert layout(sizes) == expected
