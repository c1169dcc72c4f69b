"""The numbers of a process in the form that Prometheus reads, taken whenever it asks."""

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipeline.errors import UserError
from pipeline.monitoring.watch import Backlog, CameraCounts, Histogram, Watch
from pipeline.sources.camera_status import CameraState, CameraStatus, status_of
from pipeline.sources.decode_ahead import DecodeAhead

#: Label names and values, all but the site.
Labels = dict[str, str]

_PREFIX = "fusetrack_"


class Families:
    """Makes the metrics of ``site``."""

    def __init__(self, site: str) -> None:
        self._site = {"site": site}

    def gauge(self, name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Metric:
        """What goes up and down."""
        family = GaugeMetricFamily(_PREFIX + name, text)
        for labels, value in rows:
            family.add_sample(family.name, self._site | labels, value)
        return family

    def counter(self, name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Metric:
        """What only grows while the process lives; it is called ``name`` with ``_total`` behind."""
        family = CounterMetricFamily(_PREFIX + name, text)
        for labels, value in rows:
            family.add_sample(f"{family.name}_total", self._site | labels, value)
        return family

    def histogram(self, name: str, text: str, rows: Iterable[tuple[Labels, Histogram]]) -> Metric:
        """How values are spread."""
        family = HistogramMetricFamily(_PREFIX + name, text)
        for labels, histogram in rows:
            given = self._site | labels
            counts = histogram.cumulative()
            bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
            for bound, count in zip(bounds, counts, strict=True):
                family.add_sample(f"{family.name}_bucket", given | {"le": bound}, count)
            family.add_sample(f"{family.name}_count", given, counts[-1])
            family.add_sample(f"{family.name}_sum", given, histogram.total)
        return family


def of_cameras(watch: Watch, families: Families) -> Iterator[Metric]:
    """What is known of every camera that this process has to do with."""
    yield from _of_counts(sorted(watch.cameras.copy().items()), families)
    readers = sorted(watch.readers.copy().items())
    yield families.counter(
        "frames_dropped",
        "Frames that nobody looked at: pushed out of the buffer, late at the node, behind when "
        "they arrived, or damaged",
        [
            ({"camera": camera_id, "reason": reason}, count)
            for camera_id, reader in readers
            for reason, count in _dropped(reader).items()
        ],
    )
    statuses = [(camera_id, status_of(reader.source)) for camera_id, reader in readers]
    yield from _of_statuses(
        [(camera_id, status) for camera_id, status in statuses if status], families
    )


def _of_counts(cameras: list[tuple[str, CameraCounts]], families: Families) -> Iterator[Metric]:
    named = [({"camera": camera_id}, counts) for camera_id, counts in cameras]
    yield families.counter(
        "frames", "Frames that were looked at", [(name, counts.frames) for name, counts in named]
    )
    yield families.counter(
        "detections",
        "People found, one for each frame they are in",
        [(name, counts.detections) for name, counts in named],
    )
    yield families.counter(
        "tracklets",
        "Tracks that ended and were sent",
        [(name, counts.tracklets) for name, counts in named],
    )
    yield families.counter(
        "decisions",
        "What the associator decided on tracks",
        [
            (name | {"kind": kind}, count)
            for name, counts in named
            for kind, count in sorted(counts.decisions.copy().items())
        ],
    )
    yield families.histogram(
        "capture_to_sent_seconds",
        "From the capture of a live frame with people until they are in Redis",
        [(name, counts.to_sent_s) for name, counts in named],
    )
    yield families.histogram(
        "capture_to_identity_seconds",
        "From a moment with people in front of a live camera until it is decided who they are",
        [(name, counts.to_identity_s) for name, counts in named],
    )


def _of_statuses(statuses: list[tuple[str, CameraStatus]], families: Families) -> Iterator[Metric]:
    named: list[tuple[Labels, CameraStatus]] = [
        ({"camera": camera_id}, status) for camera_id, status in statuses
    ]
    yield families.gauge(
        "camera_state",
        "1 for the state that a live camera is in",
        [
            (name | {"state": state}, int(status.phase().state == state))
            for name, status in named
            for state in get_args(CameraState)
        ],
    )
    yield families.counter(
        "camera_reconnects",
        "How often a live camera answered again after it was lost",
        [(name, max(0, status.connections - 1)) for name, status in named],
    )


def _dropped(reader: DecodeAhead) -> dict[str, int]:
    status = status_of(reader.source)
    if status is None:
        return {"buffer": reader.dropped}
    return {
        "buffer": reader.dropped,
        "late": status.late,
        "behind": status.dropped,
        "damaged": status.damaged,
    }


CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics(Collector):
    """All metrics of a process that is the ``part`` of ``site``.

    ``people`` counts the global ids so far; ``ask_redis`` raises UserError when there is no answer.
    """

    def __init__(
        self,
        site: str,
        part: str,
        watch: Watch,
        *,
        people: Callable[[], int],
        ask_redis: Callable[[], Backlog],
    ) -> None:
        self._families = Families(site)
        self._watch = watch
        self._people = people
        self._ask_redis = ask_redis
        self._told = {"part": part, "version": importlib.metadata.version("fusetrack"), "run": ""}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """The text of /metrics."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: at first there may be no camera yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now."""
        try:
            backlog = self._ask_redis()
        except UserError:
            backlog = None
        if backlog is not None:
            self._told["run"] = backlog.run
        yield self._families.gauge("info", "Which part of which run this is", [(self._told, 1)])
        yield from of_cameras(self._watch, self._families)
        yield from self._of_networks()
        yield from self._of_loops()
        yield self._families.gauge(
            "redis_up", "1 while Redis answers", [({}, int(backlog is not None))]
        )
        if backlog is not None:
            yield from _of_backlog(backlog, self._families)

    def _of_networks(self) -> Iterator[Metric]:
        watch = self._watch
        yield self._families.histogram(
            "detector_batch_size", "Frames in one detector call", [({}, watch.detector_batches)]
        )
        yield self._families.histogram(
            "embedder_batch_size", "Crops in one embedder call", [({}, watch.embedder_batches)]
        )
        yield self._families.counter(
            "crops_embedded", "Crops that were embedded", [({}, watch.embedder_batches.total)]
        )

    def _of_loops(self) -> Iterator[Metric]:
        watch, now = self._watch, self._watch.ticks()
        yield self._families.gauge(
            "seconds_since_step",
            "How long ago each loop that is at work went round",
            [({"loop": loop}, now - step) for loop, step in sorted(watch.steps.copy().items())],
        )
        yield self._families.gauge(
            "associator_decides",
            "1 while this process decides, 0 while it stands by or is no associator",
            [({}, int(watch.decides))],
        )
        yield self._families.gauge("people", "Different people so far", [({}, self._people())])
        yield self._families.counter(
            "recorded_messages", "Messages that are on disk", [({}, watch.recorded)]
        )
        yield self._families.counter(
            "redis_retries", "How often a lost Redis was asked again", [({}, watch.retries)]
        )


def _of_backlog(backlog: Backlog, families: Families) -> Iterator[Metric]:
    yield families.gauge(
        "stream_length",
        "Messages in a stream",
        [({"stream": stream}, length) for stream, length in sorted(backlog.lengths.items())],
    )
    yield families.gauge(
        "stream_pending",
        "Messages that a group was given and has not acknowledged",
        [
            ({"stream": stream, "group": group}, count)
            for (stream, group), count in sorted(backlog.pending.items())
        ],
    )
    yield families.gauge(
        "dead_messages", "Messages that could not be used and were put aside", [({}, backlog.dead)]
    )
    yield families.gauge("redis_memory_bytes", "Memory that Redis uses", [({}, backlog.memory)])
