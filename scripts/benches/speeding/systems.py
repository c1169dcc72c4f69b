"""fusetrack on recordings: all of it, without ReID, its parts, and what bounds it."""

import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from pipeline.config.schema import CameraConfig, SiteConfig
from pipeline.detector import Detector
from pipeline.monitoring.progress import Tally
from pipeline.node.batching import AnyFrame
from pipeline.node.node import Node
from pipeline.run import Run
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options
from pipeline.sources import open_source
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.source import Frame
from speeding.timing import PartTimes, Speed, Stopwatch, replaced

_AHEAD = 8


class _FirstBatch(Tally):
    """Calls ``began`` when the first batch is finished, and ``followed`` with the number of frames
    of a camera at each.
    """

    def __init__(
        self,
        camera_ids: list[str],
        began: Callable[[], None],
        followed: Callable[[int], None],
    ) -> None:
        super().__init__(camera_ids)
        self._began: Callable[[], None] | None = began
        self._followed = followed

    def on_frames(self, camera_id: str, frames: int) -> None:
        """Note the first call."""
        super().on_frames(camera_id, frames)
        self._followed(frames)
        if self._began is not None:
            self._began()
            self._began = None


def _import_services() -> None:
    """Import what the associator and the recorder import while frames are followed already."""
    import pipeline.associator.associator
    import pipeline.associator.open
    import pipeline.recorder.recorder  # noqa: F401


def ours(
    clips: list[Path],
    config: SiteConfig,
    parts: PartTimes | None = None,
    look: Callable[[Run], None] = lambda run: None,
    followed: Callable[[int], None] = lambda done: None,
) -> Speed:
    """All of fusetrack, from the first batch on; its ``parts`` are measured too.

    Frames whose detection has begun by then do not count. ``look`` is called with the finished run,
    ``followed`` with the number of frames of a camera that are.
    """
    _import_services()
    site = with_options(config, [str(clip) for clip in clips], {})
    watch, begin = Stopwatch(), Node._begin
    begun = first = 0

    def counted(node: Node, frames: list[AnyFrame]) -> Any:
        nonlocal begun
        begun += len(frames)
        return begin(node, frames)

    def began() -> None:
        nonlocal first
        first = begun
        watch.restart()
        if parts is not None:
            parts.restart()

    tally = _FirstBatch([clip.stem for clip in clips], began, followed)
    beginning = replaced([(Node, "_begin", counted)])
    with tempfile.TemporaryDirectory() as folder, _measured(parts), beginning:
        run = run_site(site, Path(folder) / "run", tally=tally)
        took = watch.speed(1)
        look(run)
        return took._replace(frames=sum(camera.frames for camera in run.cameras()) - first)


def without_reid(clips: list[Path], config: SiteConfig) -> Speed:
    """fusetrack without embeddings."""
    from pipeline.runtime import run

    open_inputs = run.open_inputs

    def opened(*given: Any, **named: Any) -> Any:
        return open_inputs(*given, **named)._replace(embedder=None)

    with replaced([(run, "open_inputs", opened)]):
        return ours(clips, config)


def _measured(parts: PartTimes | None) -> AbstractContextManager[None]:
    if parts is None:
        return nullcontext()
    from pipeline.detector import inference
    from pipeline.node import camera
    from pipeline.node.camera_stream import CameraStream
    from pipeline.runtime import workers
    from pipeline.sources import picture, video_file
    from pipeline.sources.picture import PlanarPicture
    from reid_model.embedder import Embedder
    from reid_model.fusion_embedder import FusionEmbedder
    from trackers.single_camera.boxmot import SingleCameraTracker
    from trackers.single_camera.link import LinkTracker

    def part(owner: Any, name: str, part: str, **kind: bool) -> tuple[Any, str, Any]:
        return owner, name, parts.function(part, getattr(owner, name), **kind)

    start = Detector.start

    def started(*given: Any) -> Callable[[], Any]:
        with parts.measured("detect", network=True):
            finish = start(*given)
        return parts.function("detect", finish, network=True)

    decoder = video_file.Decoder
    return replaced(
        [
            (decoder, "frames", parts.generator("decode", decoder.frames)),
            part(PlanarPicture, "cut", "crop"),
            part(picture, "to_image", "picture"),
            part(inference.Letterbox, "apply", "preprocess"),
            (Detector, "start", started),
            # While the next batch is detected, the threads of the networks do two things at once.
            (Node, "_has_live", lambda node: True),
            part(SingleCameraTracker, "update", "track"),
            part(LinkTracker, "update", "track"),
            part(camera, "qualities", "crop"),
            part(camera, "crop_of", "crop"),
            part(Embedder, "describe", "embed", network=True),
            part(FusionEmbedder, "describe", "embed", network=True),
            part(CameraStream, "send", "publish"),
            part(workers, "associate", "associate"),
            part(workers, "record", "record"),
        ]
    )


def decoding(clips: list[Path]) -> Speed:
    """Decoding as in a run: a thread for each clip."""
    return _read(clips, lambda frames: None)


def detection(clips: list[Path], config: SiteConfig, detector: Detector) -> Speed:
    """Detection of pictures that are in memory."""
    frames = [_some(clip, 16) for clip in clips]
    mixed = [frame for together in zip(*frames, strict=True) for frame in together]
    size = config.detector.batch
    watch = Stopwatch()
    for start in range(0, len(mixed), size):
        detector.detect([frame.picture for frame in mixed[start : start + size]])
    return watch.speed(len(mixed))


def detection_and_decoding(
    clips: list[Path], config: SiteConfig, detector: Detector, ahead: int = 0
) -> Speed:
    """Both on the same processors, a batch after the other or with some detected ``ahead``.

    With as many ahead as fusetrack, this is what no tracking can surpass that looks at every frame.
    Measured as all of fusetrack: from the first batch on, and frames whose detection has begun by
    then do not count.
    """
    waiting: list[Frame] = []
    started: deque[Callable[[], Any]] = deque()
    watch, first = Stopwatch(), 0

    def begin() -> None:
        nonlocal first
        started.append(detector.start([one.picture for one in waiting]))
        waiting.clear()
        if len(started) > ahead:
            started.popleft()()
            if not first:
                first = (ahead + 1) * config.detector.batch
                watch.restart()

    def take(frame: Frame) -> None:
        waiting.append(frame)
        if len(waiting) == config.detector.batch:
            begin()

    frames = _read(clips, take).frames
    if waiting:
        begin()
    while started:
        started.popleft()()
    return watch.speed(frames - first)


def _some(clip: Path, count: int) -> list[Frame]:
    frames = open_source(clip.stem, CameraConfig(source=str(clip))).frames()
    return [frame for frame, _ in zip(frames, range(count), strict=False) if _is_picture(frame)]


def _is_picture(frame: object) -> bool:
    return isinstance(frame, Frame)


def _read(clips: list[Path], take: Callable[[Frame], None]) -> Speed:
    sources = [open_source(clip.stem, CameraConfig(source=str(clip))) for clip in clips]
    count = 0
    with ExitStack() as stack:
        watch = Stopwatch()
        readers = [stack.enter_context(DecodeAhead(source, _AHEAD)) for source in sources]
        while readers:
            for reader in list(readers):
                frame = reader.get()
                if isinstance(frame, Frame):
                    take(frame)
                    count += 1
                else:
                    readers.remove(reader)
        return watch.speed(count)
