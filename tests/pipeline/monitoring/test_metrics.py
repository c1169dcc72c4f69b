"""/metrics of a small run, fetched over HTTP and parsed as Prometheus does."""

import json
import logging
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fakes import Clip, ColourDetector, ColourEmbedder, FakeLive, Recorded
from pipeline.bus.keys import ASSOCIATOR, RECORDER, TRACKLETS
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Watch
from pipeline.monitoring.web import serve_metrics
from pipeline.node.node import Node
from pipeline.node.perception import count_batches
from pipeline.paths import config_folder
from pipeline.runtime import workers
from pipeline.sources.decode_ahead import DecodeAhead
from pipeline.sources.source import Frame
from trackers.association.association import Decision

Samples = dict[str, float]
FRAMES = 40


def samples(text: str) -> Samples:
    """Every sample as ``name{label=value,...}`` without the label site, in the order of labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key != "site"}
            shown = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
            found[f"{sample.name}{{{shown}}}" if shown else sample.name] = sample.value
    return found


class Served:
    """The watch of a process and its pages over HTTP."""

    def __init__(self, watch: Watch, address: str) -> None:
        self.watch = watch
        self._address = address

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self._address}{path}", timeout=600) as answer:
            return str(answer.read().decode())

    def samples(self) -> Samples:
        return samples(self.page("/metrics"))


CONFIG = check_config(
    {
        "site": "shop",
        "service": {"metrics": "127.0.0.1:0"},
        "cameras": {"clip": {"source": "clip.mp4"}, "rows": {"source": "rows.parquet"}},
    },
    "the test",
)


@pytest.fixture
def tally() -> Tally:
    return Tally(list(CONFIG.cameras))


@pytest.fixture
def served(tally: Tally, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    with caplog.at_level(logging.INFO), serve_metrics(CONFIG, "run", tally) as watch:
        address = re.search(r"metrics at http://(\S+)/metrics", caplog.text)
        assert address is not None
        yield Served(watch, address[1])


@pytest.fixture
def bus(redis_url: str, site: str) -> Iterator[Bus]:
    with Bus(redis_url, site) as opened:
        yield opened


def run(config: SiteConfig, bus: Bus, url: str, served: Served, tally: Tally, out: Path) -> None:
    """A clip and recorded detections through node, associator and recorder."""
    watch, stop = served.watch, threading.Event()
    times = [number / 10 for number in range(FRAMES)]
    sources = [Clip("clip", times), Recorded("rows", times, embedding=[1.0, 0.0, 0.0])]
    detector, embedder = count_batches(ColourDetector(), ColourEmbedder(), watch)
    workers.open_site(bus)
    watch.attach(bus)
    node = Node(config, sources, bus, detector=detector, embedder=embedder, watch=watch)
    node.run(stop)
    workers.associate(config, url, bus.site, stop, tally, watch)
    out.mkdir()
    workers.record(url, bus.site, config, out, stop, watch)


def test_the_metrics_of_a_run(
    served: Served, bus: Bus, redis_url: str, tally: Tally, tmp_path: Path
) -> None:
    run(CONFIG, bus, redis_url, served, tally, tmp_path / "run")
    found = served.samples()
    for camera in ("clip", "rows"):
        assert found[f"fusetrack_frames_total{{camera={camera}}}"] == FRAMES
        assert found[f"fusetrack_detections_total{{camera={camera}}}"] == FRAMES
        assert found[f"fusetrack_tracklets_total{{camera={camera}}}"] == 1
        assert found[f"fusetrack_frames_dropped_total{{camera={camera},reason=buffer}}"] == 0
        assert found[f"fusetrack_decisions_total{{camera={camera},kind=assigned}}"] >= 1
        # Delays are measured for live cameras only.
        assert found[f"fusetrack_capture_to_sent_seconds_count{{camera={camera}}}"] == 0
        assert found[f"fusetrack_capture_to_identity_seconds_count{{camera={camera}}}"] == 0
    assert found["fusetrack_detector_batch_size_sum"] == FRAMES
    assert (
        found["fusetrack_detector_batch_size_bucket{le=4.0}"]
        == (found["fusetrack_detector_batch_size_count"])
    )
    # Four of the first two seconds, then fewer.
    assert found["fusetrack_crops_embedded_total"] > 4
    assert found["fusetrack_people"] == 2
    assert found["fusetrack_recorded_messages_total"] > 10
    assert found["fusetrack_redis_up"] == 1
    assert found["fusetrack_stream_length{stream=tracklets}"] == bus.lengths()[TRACKLETS]
    for group in (ASSOCIATOR, RECORDER):
        assert found[f"fusetrack_stream_pending{{group={group},stream=tracklets}}"] == 0
    assert found["fusetrack_dead_messages"] == 0
    assert found["fusetrack_redis_memory_bytes"] > 1e5
    assert found["process_resident_memory_bytes"] > 1e7
    (info,) = (name for name in found if name.startswith("fusetrack_info"))
    assert f"part=run,run={bus.run()}," in info
    assert served.page("/readyz") == served.page("/healthz") == "ok\n"


def test_what_was_delivered_and_not_acknowledged_is_pending(served: Served, bus: Bus) -> None:
    workers.open_site(bus)
    served.watch.attach(bus)
    node = Node(CONFIG, [Recorded("rows", [0.0])], bus, detector=None, embedder=None)
    node.run(threading.Event())
    taken = bus.read(RECORDER, "1", [TRACKLETS], 0.01)
    found = served.samples()
    assert found["fusetrack_stream_pending{group=recorder,stream=tracklets}"] == len(taken) > 0
    assert found["fusetrack_stream_pending{group=associator,stream=tracklets}"] == 0


def test_without_redis_the_other_metrics_are_still_served(served: Served) -> None:
    found = served.samples()
    assert found["fusetrack_redis_up"] == 0
    assert not any(name.startswith("fusetrack_stream") for name in found)
    with pytest.raises(urllib.error.HTTPError, match="503") as raised:
        served.page("/readyz")
    with raised.value as answer:
        assert answer.read() == b"not connected to Redis yet\n"


class Silent(FakeLive):
    """A live camera that sends nothing, until it is closed."""

    def frames(self) -> Iterator[Frame]:
        self.status.closing.wait()
        yield from ()


def test_a_live_camera_has_a_state_and_drop_reasons(served: Served) -> None:
    source = Silent("gate")
    status = source.status
    status.connections, status.late, status.dropped, status.damaged = 3, 4, 5, 6
    status.connection_lost("it is off")
    with DecodeAhead(source, 2) as reader:
        reader.dropped = 7
        served.watch.add_reader(reader)
        found = served.samples()
        states = {
            state: found[f"fusetrack_camera_state{{camera=gate,state={state}}}"]
            for state in ("connecting", "live", "stalled", "lost")
        }
        assert states == {"connecting": 0, "live": 0, "stalled": 0, "lost": 1}
        assert found["fusetrack_camera_reconnects_total{camera=gate}"] == 2
        dropped = {
            reason: found[f"fusetrack_frames_dropped_total{{camera=gate,reason={reason}}}"]
            for reason in ("buffer", "late", "behind", "damaged")
        }
        assert dropped == {"buffer": 7, "late": 4, "behind": 5, "damaged": 6}
        served.watch.remove_camera("gate")
        assert not any("camera=gate" in name for name in served.samples())


def test_delays_are_those_of_live_cameras() -> None:
    from builders import observations_sent, tracklet_sent

    config = check_config(
        {"cameras": {"gate": {"source": "rtsp://h/1"}, "hall": {"source": "hall.mp4"}}}, "the test"
    )
    watch = Watch(config, now=lambda: 12.0)
    for name in ("gate", "hall"):
        # Two frames, at 10.0 and 11.0 s.
        watch.count_sent(name, [observations_sent(name, [100, 110, 110], track_id=1)])
    tracklets = [tracklet_sent(name, 1, 9.0, 10.0) for name in ("gate", "gate", "hall")]
    watch.count_decisions(10.0, tracklets, [Decision(("gate", 1), 5, 0.9, "merged", "")])
    gate, hall = watch.cameras["gate"], watch.cameras["hall"]
    assert (gate.to_sent_s.cumulative()[-1], gate.to_sent_s.total) == (2, 3.0)
    assert (gate.to_identity_s.cumulative()[-1], gate.to_identity_s.total) == (1, 2.0)
    assert gate.decisions == {"merged": 1}
    assert hall.to_sent_s.cumulative()[-1] == 0


def test_the_dashboard_shows_exactly_the_existing_metrics(
    served: Served, bus: Bus, redis_url: str, tally: Tally, tmp_path: Path
) -> None:
    run(CONFIG, bus, redis_url, served, tally, tmp_path / "run")
    text = served.page("/metrics")
    known = {name.partition("{")[0] for name in samples(text)}
    known |= {
        # Those of live cameras have no sample in this run.
        f"{family.name}{'_total' if family.type == 'counter' else ''}"
        for family in text_string_to_metric_families(text)
    }
    folder = config_folder().parent / "scripts" / "deploy"
    panels = json.loads((folder / "grafana.json").read_text())["panels"]
    shown = "\n".join(target["expr"] for panel in panels for target in panel["targets"])
    named = set(re.findall(r"\b(?:fusetrack|process)_[a-z_]+", shown))
    assert named - known == set()
    # And no metric of ours is missing.
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in known}
    ours = {name for name in ours if name.startswith("fusetrack")}
    assert {name for name in ours if not any(one.startswith(name) for one in named)} == set()
