"""Videos of a run: every frame, with people in the colours of their global ids."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from builders import Observation, camera, make_run
from pipeline.errors import UserError
from pipeline.pictures.colours import colour_of
from pipeline.pictures.render import draw_people, render_videos
from pipeline.run_directory.reader import RunDirectory

Image = NDArray[np.uint8]
BOX = (40.0, 60.0, 140.0, 150.0)
MOMENTS = [0.0, 0.1, 0.4, 0.5]
HEIGHT, WIDTH = 201, 301


def make_source(path: Path, grey: int = 200) -> Path:
    """A lossless video of odd size and variable frame rate, all grey."""
    with av.open(path, "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for moment in MOMENTS:
            image = np.full((HEIGHT, WIDTH, 3), grey, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="bgr0")
            frame.pts, frame.time_base = round(moment * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def run_on(folder: Path, sources: dict[str, str], rows: list[Observation]) -> RunDirectory:
    ids = {(row[0], row[2]): 3 for row in rows if row[2] != 9}
    make_run(folder, rows, ids, cameras=[camera(name) for name in sources])
    cameras = {name: {"source": source} for name, source in sources.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump({"site": "test", "cameras": cameras}))
    return RunDirectory(folder)


def read(path: Path) -> list[tuple[float, Image]]:
    with av.open(path) as container:
        return [
            (frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)
        ]


def near(pixel: Image, colour: tuple[int, int, int], within: int = 25) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= within)


def test_every_frame_is_rendered_with_its_boxes(tmp_path: Path) -> None:
    sources = {name: str(make_source(tmp_path / f"{name}.mkv")) for name in ("a", "b")}
    rows = [("a", 1, 7, BOX), ("a", 2, 7, BOX), ("b", 0, 1, BOX)]
    paths = render_videos(run_on(tmp_path / "run", sources, rows))
    assert paths == [tmp_path / "run" / "video" / "a.mp4", tmp_path / "run" / "video" / "b.mp4"]
    first, second = (read(path) for path in paths)
    for frames in (first, second):
        assert [moment for moment, _ in frames] == pytest.approx(MOMENTS, abs=1e-3)
        assert {image.shape for _, image in frames} == {(HEIGHT + 1, WIDTH + 1, 3)}
    edge, outside = (120, 40), (120, 240)
    drawn = [near(image[edge], colour_of(3), 40) for _, image in first]
    assert drawn == [False, True, True, False]
    assert near(second[0][1][edge], colour_of(3), 40)
    assert all(near(image[outside], (200, 200, 200), 8) for _, image in first)


def test_one_person_has_one_colour_in_two_cameras(tmp_path: Path) -> None:
    sources = {name: str(make_source(tmp_path / f"{name}.mkv")) for name in ("a", "b")}
    rows = [("a", 0, 7, BOX), ("b", 0, 1, BOX)]
    first, second = (read(path)[0][1] for path in render_videos(run_on(tmp_path, sources, rows)))
    label = slice(48, 58), slice(41, 70)
    for image in (first, second):
        ground = image[label].reshape(-1, 3)
        assert sum(near(pixel, colour_of(3)) for pixel in ground) > len(ground) / 3
        assert (ground.min(axis=1) > 180).any()
    assert np.abs(first[label].astype(int) - second[label]).max() <= 3


def test_someone_without_identity_is_grey() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    draw_people(image, [(None, BOX)])
    assert tuple(image[120, 40]) == colour_of(None)


@pytest.mark.parametrize(
    "box", [(-30.0, -20.0, 40.0, 60.0), (280.0, 190.0, 400.0, 300.0), (0.0, 0.0, 301.0, 201.0)]
)
def test_a_label_at_the_border_stays_in_the_picture(
    box: tuple[float, float, float, float],
) -> None:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    draw_people(image, [(12345, box)])
    painted = (image == colour_of(12345)).all(axis=2)
    # Wide enough for the five digits: nothing of the label was cut off.
    assert painted.sum(axis=1).max() > 50
    assert painted.sum() > 300


def test_lines_grow_with_the_picture() -> None:
    widths = []
    for size in (300, 2100):
        image = np.full((size, size, 3), 255, np.uint8)
        draw_people(image, [(1, (size / 4, size / 4, size / 2, size / 2))])
        row = (image[int(size * 0.45)] == colour_of(1)).all(axis=1)
        widths.append(int(row.sum() / 2))
    assert widths[0] <= 3
    assert widths[1] >= 6


def test_a_corner_names_the_camera_and_the_time(tmp_path: Path) -> None:
    sources = {"a": str(make_source(tmp_path / "a.mkv"))}
    (path,) = render_videos(run_on(tmp_path, sources, []))
    frames = [image for _, image in read(path)]
    corner = frames[0][HEIGHT - 14 : HEIGHT - 1, 2:80]
    assert (corner.max(axis=2) < 60).any()
    assert (corner.min(axis=2) > 180).any()
    assert np.abs(corner.astype(int) - frames[3][HEIGHT - 14 : HEIGHT - 1, 2:80]).max() > 60


def test_a_folder_of_pictures_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        picture = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), picture)
    run = run_on(tmp_path / "run", {"a": str(tmp_path / "pictures")}, [("a", 2, 1, BOX)])
    (path,) = render_videos(run)
    frames = read(path)
    assert [near(image[120, 40], colour_of(3), 40) for _, image in frames] == [False, False, True]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("rtsp://10.0.0.1/stream", "is a live stream and cannot be read again"),
        ("0", "is a live camera and cannot be read again"),
        ("people.parquet", "contains recorded detections, no images"),
    ],
)
def test_a_source_that_cannot_be_read_again_stops_before_anything_is_written(
    tmp_path: Path, source: str, fault: str
) -> None:
    sources = {"a": str(make_source(tmp_path / "a.mkv")), "gate": source}
    run = run_on(tmp_path / "run", sources, [])
    with pytest.raises(UserError, match=f"camera gate: its source {fault}"):
        render_videos(run)
    assert not (run.path / "video").exists()


def test_a_password_is_never_in_the_message(tmp_path: Path) -> None:
    run = run_on(tmp_path / "run", {"gate": "rtsp://user:hunter2@10.0.0.1/stream"}, [])
    with pytest.raises(UserError) as error:
        render_videos(run)
    assert "hunter2" not in str(error.value)


def test_a_run_without_sources(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", [], {}))
    with pytest.raises(UserError, match="has no camera"):
        render_videos(run)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    run = run_on(tmp_path / "run", {"a": str(tmp_path / "gone.mp4")}, [])
    with pytest.raises(UserError, match=r"gone\.mp4"):
        render_videos(run)


@pytest.mark.parametrize("how", ["none", "faces", "bodies"])
def test_people_are_blurred_also_where_the_detector_missed_them(tmp_path: Path, how: str) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (HEIGHT // 3, WIDTH // 3, 3), np.uint8)
    folder = tmp_path / "pictures"
    folder.mkdir()
    sharp = np.repeat(np.repeat(pixels, 3, 0), 3, 1)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), sharp)
    # Nobody found them in the picture in the middle.
    standing = (70.0, 60.0, 115.0, 180.0)
    rows: list[Observation] = [("a", 0, 1, standing), ("a", 2, 1, standing)]
    run = run_on(tmp_path / "run", {"a": str(folder)}, rows)
    config = {**run.config(), "privacy": {"blur": how}}
    (run.path / "config.yaml").write_text(yaml.safe_dump(config))
    (path,) = render_videos(run)
    head, legs = (slice(66, 90), slice(75, 110)), (slice(130, 174), slice(75, 110))
    beside = slice(20, 60), slice(200, 290)
    for _, image in read(path):
        likeness = [
            float(np.corrcoef(image[part].ravel(), sharp[part].ravel())[0, 1])
            for part in (head, legs, beside)
        ]
        assert (likeness[0] < 0.5) == (how != "none")
        assert (likeness[1] < 0.5) == (how == "bodies")
        assert likeness[2] > 0.8
