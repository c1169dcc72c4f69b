"""Longer clips of the same people: each is shown forward and backward, so that nobody jumps."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import CameraConfig
from pipeline.pictures.video import write_video
from pipeline.sources import open_source
from pipeline.sources.source import Frame


def lengthened(clips: list[Path], times: int, folder: Path) -> list[Path]:
    """The clips at so many times their length, by the same names in ``folder``; once is as it is.

    What a run does at its end weighs less in them, as in recordings of people's cameras.
    """
    if times == 1:
        return clips
    folder.mkdir()
    return [_lengthened(clip, times, folder / f"{clip.stem}.mp4") for clip in clips]


def _lengthened(clip: Path, times: int, written: Path) -> Path:
    source = open_source(clip.stem, CameraConfig(source=str(clip)))
    images = [frame.image for frame in source.frames() if isinstance(frame, Frame)]
    shown = islice(_to_and_fro(images), times * len(images))
    write_video(written, ((index / source.fps, image) for index, image in enumerate(shown)))
    return written


def _to_and_fro(images: list[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    yield from cycle([*images, *images[-2:0:-1]])
