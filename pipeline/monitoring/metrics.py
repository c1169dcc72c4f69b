"""The numbers of a process in the form that Prometheus reads, taken whenever it asks."""

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch
from pipeline.service.backlog import Backlog
from pipeline.service.camera_metrics import of_cameras
from pipeline.service.families import Families

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
