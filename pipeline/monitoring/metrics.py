"""The Prometheus metrics of a process, collected on each scrape."""

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipeline.errors import UserError
from pipeline.monitoring.watch import Backlog, CameraCounts, CameraLoad, Histogram, Watch
from pipeline.sources.camera_status import CameraState, CameraStatus, status_of
from pipeline.sources.decode_ahead import DecodeAhead

#: Label names and values, without the site.
Labels = dict[str, str]

_PREFIX = "fusetrack_"


class Families:
    """Creates metric families with the label of ``site``."""

    def __init__(self, site: str) -> None:
        self._site = {"site": site}

    def gauge(self, name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Metric:
        """A gauge with one sample per row."""
        family = GaugeMetricFamily(_PREFIX + name, text)
        for labels, value in rows:
            family.add_sample(family.name, self._site | labels, value)
        return family

    def counter(self, name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Metric:
        """A counter with one sample per row; its name is ``name`` with the suffix ``_total``."""
        family = CounterMetricFamily(_PREFIX + name, text)
        for labels, value in rows:
            family.add_sample(f"{family.name}_total", self._site | labels, value)
        return family

    def histogram(self, name: str, text: str, rows: Iterable[tuple[Labels, Histogram]]) -> Metric:
        """A histogram with one set of buckets per row."""
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
    """The metrics of every camera of this process."""
    yield from _of_counts(sorted(watch.cameras.copy().items()), families)
    readers = sorted(watch.readers.copy().items())
    yield families.counter(
        "frames_dropped",
        "Frames that were not processed: dropped from the full buffer, shed by an overloaded node, "
        "late at the node, behind on arrival, or damaged",
        [
            ({"camera": camera_id, "reason": reason}, count)
            for camera_id, reader in readers
            for reason, count in _dropped(reader).items()
        ],
    )
    yield from _of_loads(sorted(watch.loads.copy().items()), families)
    statuses = [(camera_id, status_of(reader.source)) for camera_id, reader in readers]
    yield from _of_live_cameras(
        [(camera_id, status) for camera_id, status in statuses if status], families
    )


#: The counters of a camera that are a field of `CameraCounts`, with their help.
_COUNTERS = {
    "frames": "Processed frames",
    "detections": "Detected people, one per person and frame",
    "tracklets": "Closed tracks that were sent",
}

#: The fields of `CameraLoad`, each with its gauge and help.
_LOADS = (
    ("fps", "followed_fps", "Frames of a live camera that are followed, per second"),
    ("sent_fps", "sent_fps", "Frames that a live camera sends, per second"),
    ("delay_s", "delay_seconds", "Mean time from the arrival of a live frame to its result"),
    ("overloaded", "overloaded", "1 while the node leaves out most frames of a live camera"),
)


def _of_loads(loads: list[tuple[str, CameraLoad]], families: Families) -> Iterator[Metric]:
    named = [({"camera": camera_id}, load) for camera_id, load in loads]
    for field, metric, text in _LOADS:
        values = [(name, float(getattr(load, field))) for name, load in named]
        yield families.gauge(metric, text, values)


def _of_counts(cameras: list[tuple[str, CameraCounts]], families: Families) -> Iterator[Metric]:
    named = [({"camera": camera_id}, counts) for camera_id, counts in cameras]
    for metric, text in _COUNTERS.items():
        yield families.counter(metric, text, [(name, getattr(c, metric)) for name, c in named])
    yield families.counter(
        "decisions",
        "Decisions of the associator on tracks",
        [
            (name | {"kind": kind}, count)
            for name, counts in named
            for kind, count in sorted(counts.decisions.copy().items())
        ],
    )
    yield families.histogram(
        "capture_to_sent_seconds",
        "Time from the capture of a live frame with people until its observations are in Redis",
        [(name, counts.to_sent_s) for name, counts in named],
    )
    yield families.histogram(
        "capture_to_identity_seconds",
        "Time from the capture of people by a live camera until their identities are decided",
        [(name, counts.to_identity_s) for name, counts in named],
    )


def _of_live_cameras(
    statuses: list[tuple[str, CameraStatus]], families: Families
) -> Iterator[Metric]:
    named: list[tuple[Labels, CameraStatus]] = [
        ({"camera": camera_id}, status) for camera_id, status in statuses
    ]
    yield families.gauge(
        "camera_state",
        "1 for the current state of a live camera",
        [
            (name | {"state": state}, int(status.phase().state == state))
            for name, status in named
            for state in get_args(CameraState)
        ],
    )
    yield families.counter(
        "camera_reconnects",
        "Reconnects of a live camera after it was lost",
        [(name, max(0, status.connections - 1)) for name, status in named],
    )


def _dropped(reader: DecodeAhead) -> dict[str, int]:
    status = status_of(reader.source)
    if status is None:
        return {"buffer": reader.dropped}
    return {
        "buffer": reader.dropped,
        "shed": status.shed,
        "late": status.late,
        "behind": status.dropped,
        "damaged": status.damaged,
    }


CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics(Collector):
    """All metrics of a process that runs the ``part`` of ``site``.

    ``people`` returns the number of global ids so far; ``query_redis`` raises UserError when Redis
    does not answer.
    """

    def __init__(
        self,
        site: str,
        part: str,
        watch: Watch,
        *,
        people: Callable[[], int],
        query_redis: Callable[[], Backlog],
    ) -> None:
        self._families = Families(site)
        self._watch = watch
        self._people = people
        self._query_redis = query_redis
        self._info = {"part": part, "version": importlib.metadata.version("fusetrack"), "run": ""}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """The content of /metrics."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Empty, because there may be no camera yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The current value of every metric."""
        try:
            backlog = self._query_redis()
        except UserError:
            backlog = None
        if backlog is not None:
            self._info["run"] = backlog.run
        yield self._families.gauge(
            "info", "Part, version and run of this process", [(self._info, 1)]
        )
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
        yield self._families.counter(
            "crops_shed", "Crops that an overloaded node did not embed", [({}, watch.crops_shed)]
        )

    def _of_loops(self) -> Iterator[Metric]:
        watch, now = self._watch, self._watch.ticks()
        yield self._families.gauge(
            "seconds_since_step",
            "Seconds since the last step of each running loop",
            [({"loop": loop}, now - step) for loop, step in sorted(watch.steps.copy().items())],
        )
        yield self._families.gauge(
            "associator_decides",
            "1 while this process is the active associator, else 0",
            [({}, int(watch.is_deciding))],
        )
        yield self._families.gauge("people", "Global ids so far", [({}, self._people())])
        yield self._families.counter(
            "recorded_messages", "Messages written to disk", [({}, watch.recorded)]
        )
        yield self._families.counter(
            "redis_retries", "Retries while Redis was unavailable", [({}, watch.retries)]
        )


def _of_backlog(backlog: Backlog, families: Families) -> Iterator[Metric]:
    yield families.gauge(
        "stream_length",
        "Messages in a stream",
        [({"stream": stream}, length) for stream, length in sorted(backlog.lengths.items())],
    )
    yield families.gauge(
        "stream_pending",
        "Messages delivered to a group and not acknowledged",
        [
            ({"stream": stream, "group": group}, count)
            for (stream, group), count in sorted(backlog.pending.items())
        ],
    )
    yield families.gauge(
        "dead_messages", "Invalid messages in the dead-letter stream", [({}, backlog.dead)]
    )
    yield families.gauge("redis_memory_bytes", "Memory used by Redis", [({}, backlog.memory)])


def page_of_counts(
    site: str,
    people: Iterable[tuple[str, int]],
    crossings: Iterable[tuple[str, str, int]],
) -> bytes:
    """The page of zones with the people in them, and of lines with direction and crossings."""
    families, registry = Families(site), CollectorRegistry()
    zones = families.gauge(
        "zone_people", "People in a zone now", [({"zone": name}, count) for name, count in people]
    )
    lines = families.counter(
        "line_crossings",
        "Crossings of a line since the API began",
        [({"line": name, "direction": way}, count) for name, way, count in crossings],
    )
    registry.register(_Fixed([zones, lines]))
    return generate_latest(registry)


class _Fixed(Collector):
    """Metrics that are there already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
