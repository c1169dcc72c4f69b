"""What the pages of the documentation find in the folder in which they are followed."""

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from doc_blocks import ROOT
from doc_shell import Runs, Shell
from reid_toys import toy_pictures
from videos import make_video

#: Every eighth picture of the demo's clips is enough to follow the people in them.
_STEP = 8
_FPS = 8


@pytest.fixture(scope="session")
def clips(demo_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the clips of the demo, made short: cam01.mp4 to cam04.mp4."""
    folder = tmp_path_factory.mktemp("clips")
    for clip in demo_clips:
        with av.open(str(clip)) as video:
            kept = itertools.islice(video.decode(video=0), 0, None, _STEP)
            frames = [frame.to_ndarray(format="bgr24") for frame in kept]
        make_video(folder / clip.name, frames, _FPS, options={"preset": "ultrafast"})
    return folder


@pytest.fixture(scope="session")
def own_files(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings that the pages name: smaller still."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "recordings").mkdir()
    names = {"cam03": "entrance.mp4", "cam02": "aisle.mkv", "cam04": "recordings/cam7.avi"}
    for camera, name in names.items():
        with av.open(str(clips / f"{camera}.mp4")) as video:
            frames = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
        small = [cv2.resize(frame, None, fx=0.5, fy=0.5) for frame in frames]
        make_video(folder / name, [np.ascontiguousarray(frame) for frame in small], _FPS)
    return folder


@pytest.fixture(scope="session")
def runs() -> Runs:
    """Runs that several pages make are made once."""
    return {}


@pytest.fixture
def shell(clips: Path, own_files: Path, runs: Runs, tmp_path: Path) -> Shell:
    """A shell in a folder with everything that the pages expect there."""
    for name in ("configs", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    for path in own_files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    write_people(tmp_path / "people")
    return Shell(tmp_path, runs, {("weights", "path", "demo-clips"): str(clips)})


def write_people(folder: Path) -> None:
    """Six people in coloured clothes, as the page on training lays them out."""
    layout = {"train": ("gate_0001", "gate_0002", "hall_0001", "hall_0002")}
    layout |= {"query": ("gate_0001",), "gallery": ("hall_0001", "hall_0002")}
    for split, names in layout.items():
        for number, picture in enumerate(toy_pictures(), start=1):
            person = folder / split / f"{number:04}"
            person.mkdir(parents=True)
            for name in names:
                cv2.imwrite(str(person / f"{name}.png"), picture)
