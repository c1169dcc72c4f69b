"""The main job on one machine: node, associator and recorder around a Redis, in one process.

The same parts run as processes of their own with `fusetrack node`, `associate` and `record`.
"""

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType

import yaml

from pipeline.associator import AssociatorService
from pipeline.bus.server import EmbeddedServer
from pipeline.bus.streams import Bus
from pipeline.camera import open_tracker
from pipeline.config import SiteConfig
from pipeline.devices import resolve_device
from pipeline.embedding import open_embedder, similarity_calibration
from pipeline.errors import UserError
from pipeline.node import Detects, Embeds, Node
from pipeline.progress import Tally
from pipeline.recorder import Recorder
from pipeline.run_directory.reader import RunDirectory
from pipeline.sources import Source, open_source
from pipeline.sources.recorded import RecordedSource
from pipeline.sources.redact import redact
from trackers.association.association import Association, Rules
from trackers.association.motion import Limits


class Stop:
    """Two signals: no more input, finish what there is; and leave everything at once."""

    def __init__(self) -> None:
        self.input = threading.Event()
        self.all = threading.Event()
        self.signal: int | None = None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal stops the input, a second one everything."""
        if self.input.is_set():
            self.all.set()
        self.signal = number
        self.input.set()


def run_site(
    config: SiteConfig,
    out: Path,
    *,
    stop: Stop | None = None,
    tally: Tally | None = None,
) -> RunDirectory:
    """Follow the people of all cameras of ``config`` and write the run directory ``out``.

    Returns when every source has ended or ``stop`` says so; everything up to then can be read.
    Raises UserError for bad input, before anything is written where that can be known.
    """
    stop = stop or Stop()
    tally = tally or Tally(list(config.cameras))
    sources = open_sources(config)
    open_tracker(config.tracker, fps=25)  # a wrong name is known before anything is written
    detector, embedder = open_models(config, sources)
    prepare(out, config)
    with _redis(config, out) as url:
        # Runs that share a Redis must not share streams.
        site = f"{config.site}.{uuid.uuid4().hex[:12]}"
        with open_bus(url, site) as bus, _own_site(bus):
            node = Node(
                config,
                sources,
                bus,
                detector=detector,
                embedder=embedder,
                thumbnails=out / "thumbnails" if config.recording.thumbnails else None,
                on_frames=tally.on_frames,
            )
            with _services(config, url, site, out, stop, tally):
                node.run(stop.input)
    return RunDirectory(out)


def run_node(config: SiteConfig, stop: Stop, tally: Tally) -> None:
    """A node as a process of its own: frames in, observations and tracklets to ``config.redis``."""
    sources = open_sources(config)
    detector, embedder = open_models(config, sources)
    with open_bus(config.redis, config.site) as bus:
        node = Node(
            config, sources, bus, detector=detector, embedder=embedder, on_frames=tally.on_frames
        )
        node.run(stop.input)


def run_associator(config: SiteConfig, stop: Stop, tally: Tally) -> None:
    """The associator as a process of its own, until every camera of ``config`` has ended."""
    with open_bus(config.redis, config.site) as bus:
        _associate(config, bus, stop.input, tally)


def run_recorder(config: SiteConfig, out: Path, stop: Stop) -> RunDirectory:
    """The recorder as a process of its own; ``out`` is new, or that of a recorder that died."""
    prepare(out, config, resume=True)
    with open_bus(config.redis, config.site) as bus:
        _record(config, bus, out, stop.input)
        if not stop.input.is_set():
            # All is recorded; the next run of this site starts with empty streams.
            bus.delete_site()
    return RunDirectory(out)


def open_bus(url: str | None, site: str) -> Bus:
    """The streams of a site, made where they are not there yet."""
    if url is None:
        raise UserError("no Redis: give --redis URL or set redis in the configuration")
    bus = Bus(url, site)
    bus.declare()
    return bus


def _associate(config: SiteConfig, bus: Bus, stop: threading.Event, tally: Tally) -> None:
    association = association_of(config)
    service = AssociatorService(bus, association, config.cameras, on_decision=tally.on_decision)
    service.run(stop)


def _record(config: SiteConfig, bus: Bus, out: Path, stop: threading.Event) -> None:
    recorder = Recorder(bus, out, config.recording.segment_s, time.monotonic)
    recorder.run(stop)


def open_sources(config: SiteConfig) -> list[Source]:
    """Open every source, so that a wrong one is known before anything starts."""
    if not config.cameras:
        raise UserError("no source: give at least one video, folder, URL or detections file")
    return [open_source(camera_id, camera) for camera_id, camera in config.cameras.items()]


def open_models(config: SiteConfig, sources: list[Source]) -> tuple[Detects | None, Embeds | None]:
    """Detector and embedder, unless every source brings recorded detections."""
    if all(isinstance(source, RecordedSource) for source in sources):
        return None, None
    # Recorded detections need neither ultralytics nor its start-up time.
    from pipeline.detector import Detector

    device = resolve_device(config.device)
    return Detector(config.detector, device), open_embedder(config.reid, device)


def prepare(out: Path, config: SiteConfig, *, resume: bool = False) -> None:
    """Make the run directory and write the resolved configuration, without any password.

    With ``resume`` it may hold an earlier part of a run with the same configuration.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(_public(config), sort_keys=False)
        if any(out.iterdir()) and not _is_same(out / "config.yaml", text, resume=resume):
            raise UserError(f"{out} is not empty: give --out a new folder")
        (out / "config.yaml").write_text(text)
    except OSError as error:
        raise UserError(
            f"cannot write to {out}: {error.strerror}. Give --out a folder that can be written"
        ) from error


def _is_same(path: Path, text: str, *, resume: bool) -> bool:
    return resume and path.is_file() and path.read_text() == text


def association_of(config: SiteConfig) -> Association:
    """The association with the rules of ``config``."""
    rules = config.association
    return Association(
        Rules(
            evidence_s=rules.evidence_s,
            min_exemplars=rules.min_exemplars,
            min_confidence=rules.min_confidence,
            gallery_s=rules.gallery_s,
            limits=Limits(rules.max_speed, rules.max_ground_distance),
            calibration=similarity_calibration(config.reid),
        )
    )


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM end a run cleanly while the block runs. For the main thread only."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop.on_signal) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _own_site(bus: Bus) -> Iterator[None]:
    """A run leaves nothing behind in a Redis that it shares with others, however it ends."""
    try:
        yield
    except BaseException:
        # What went wrong first is what the user should read.
        with suppress(UserError):
            bus.delete_site()
        raise
    bus.delete_site()


@contextmanager
def _redis(config: SiteConfig, out: Path) -> Iterator[str]:
    with nullcontext() if config.redis else EmbeddedServer(out / "redis") as server:
        yield config.redis or server.url  # type: ignore[union-attr]


@contextmanager
def _services(
    config: SiteConfig, url: str, site: str, out: Path, stop: Stop, tally: Tally
) -> Iterator[None]:
    """Associator and recorder beside the block; when it is done, they finish what it sent."""

    def associate(bus: Bus) -> None:
        _associate(config, bus, stop.all, tally)

    def record(bus: Bus) -> None:
        _record(config, bus, out, stop.all)

    workers = [_Worker(work, url, site, stop) for work in (associate, record)]
    for worker in workers:
        worker.start()
    try:
        yield
    except BaseException:
        stop.all.set()
        raise
    finally:
        for worker in workers:
            worker.join()
    for worker in workers:
        if worker.error is not None:
            raise worker.error


class _Worker(threading.Thread):
    """A service with its own connection. Its error stops the run and is raised by the owner."""

    def __init__(self, work: Callable[[Bus], None], url: str, site: str, stop: Stop) -> None:
        super().__init__(name=work.__name__, daemon=True)
        self._work = work
        self._url = url
        self._site = site
        self._signals = stop
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with Bus(self._url, self._site) as bus:
                self._work(bus)
        # A thread's error would otherwise be printed and forgotten; the owner raises it.
        except Exception as error:  # noqa: BLE001
            self.error = error
            self._signals.all.set()
            self._signals.input.set()


def _public(config: SiteConfig) -> dict[str, object]:
    values = config.model_dump(mode="json")
    for camera in values["cameras"].values():
        camera["source"] = redact(camera["source"])
    if values["redis"]:
        values["redis"] = redact(values["redis"])
    return dict(values)
