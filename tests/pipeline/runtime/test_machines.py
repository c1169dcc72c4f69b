"""Two nodes, two associators and a recorder, each on its own machine that is disconnected."""

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

import fork_server
from builders import watermark
from buses import send
from machines import Machine, by_lines, by_what_is_here
from pipeline.associator.checkpoint import progress_of
from pipeline.bus.keys import TRACKLETS, claim_key, term_key
from pipeline.bus.lease import LEASE_S, CameraLease
from pipeline.bus.outbox import sent_state
from pipeline.bus.streams import Bus
from pipeline.config.load import load_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.exports import export_run
from pipeline.monitoring.progress import Tally
from pipeline.node.node import Node
from pipeline.run_directory.preparing import prepare
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.site_options import cameras_of
from pipeline.runtime.workers import associate, open_site, record
from pipeline.sources.open import open_sources

ROOT = Path(__file__).parents[3]
ENDS_WITHIN_S = 600.0
FPS = 10
SITE = "far"
CAMERAS = ("gate", "yard")


def documented_rights() -> str:
    """The rights of a Redis user as documented on the operations page."""
    text = (ROOT / "docs" / "operations" / "machines.md").read_text()
    (line,) = re.findall(r"^ACL SETUSER fusetrack on >PASSWORD (.*)$", text, re.MULTILINE)
    return str(line)


def recording(folder: Path, people: int) -> dict[str, dict[str, str]]:
    """Every person passes the gate and then the yard; returns the cameras."""
    chance = np.random.default_rng(4)
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in CAMERAS}
    for person, look in enumerate(chance.normal(size=(people, 16))):
        for number, name in enumerate(CAMERAS):
            start = 50 * person + 70 * number
            for frame in range(start, start + 60):
                seen = look + chance.normal(scale=0.2, size=16)
                left = 100.0 + 3 * (frame - start) + 200 * (person % 2)
                rows[name].append(
                    {
                        **{"frame_index": frame, "timestamp": frame / FPS, "score": 0.9},
                        **{"x1": left, "y1": 100.0, "x2": left + 60, "y2": 260.0},
                        "embedding": (seen / np.linalg.norm(seen)).tolist(),
                    }
                )
    for name, found in rows.items():
        table = pl.DataFrame(found, schema_overrides={"embedding": pl.List(pl.Float32)})
        table = table.with_columns(camera_id=pl.lit(name)).sort("frame_index")
        table.write_parquet(folder / f"{name}.parquet")
    return {name: {"source": str(folder / f"{name}.parquet")} for name in CAMERAS}


@dataclass
class Parts:
    """The processes of a run, on their machines."""

    config: Path
    logs: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, machine: Machine, *arguments: str) -> None:
        """Start `fusetrack ARGUMENTS`."""
        options = ["--config", str(self.config), "--redis", machine.url]
        with (self.logs / name).open("wb") as log:
            self.started[name] = fork_server.start(
                *arguments, *options, network=machine.network, cwd=ROOT, stdout=log, stderr=log
            )

    def said(self, name: str) -> str:
        """What a part wrote so far."""
        return (self.logs / name).read_text()

    def until(self, true: Callable[[], bool]) -> float:
        """Wait until a condition on the parts holds; returns the seconds waited."""
        began = time.monotonic()
        while not true():
            failed = [name for name, p in self.started.items() if p.poll() not in (None, 0)]
            assert not failed, self.said(failed[0])
            assert time.monotonic() - began < ENDS_WITHIN_S
            time.sleep(0.05)
        return time.monotonic() - began

    def end(self) -> None:
        """Leave no process behind."""
        for process in self.started.values():
            process.kill()
            process.wait()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    (tmp_path / "logs").mkdir()
    cameras = recording(tmp_path, people=32)
    (tmp_path / "site.yaml").write_text(
        yaml.safe_dump({"site": SITE, "cameras": cameras, "recording": {"segment_s": 0.5}})
    )
    made = Parts(tmp_path / "site.yaml", tmp_path / "logs")
    yield made
    made.end()


def undisturbed(config: SiteConfig, url: str, site: str, out: Path) -> RunDirectory:
    """A node for each camera, one after the other, then an associator and a recorder."""
    stop, tally = threading.Event(), Tally(CAMERAS)
    prepare(out, config)
    with Bus(url, site) as bus:
        open_site(bus)
        for name in CAMERAS:
            own = cameras_of(config, [name])
            Node(own, open_sources(own), bus, detector=None, embedder=None).run(stop)
        associate(config, url, site, stop, tally)
        record(url, site, config, out, stop)
    return RunDirectory(out)


@pytest.mark.slow
def test_disconnected_machines_lose_nothing(
    tmp_path: Path,
    parts: Parts,
    redis_url: str,
    site: str,
    record_property: Callable[[str, object], None],
) -> None:
    """First a node, for longer than its lease; then the active associator."""
    calm = undisturbed(load_config(parts.config), redis_url, site, tmp_path / "calm")
    with (
        by_what_is_here(tmp_path / "redis", documented_rights(), 5) as found,
        found.redis.client() as client,
        Bus(found.redis.url, SITE) as bus,
    ):
        near, far, first, second, last = found.machines

        def term() -> int:
            return int(client.get(term_key(SITE)) or 0)

        def sent(camera_id: str) -> int:
            return sent_state(bus, camera_id).numbers.get(TRACKLETS, 0)

        parts.start("associator 1", first, "associate")
        parts.until(lambda: term() == 1)
        parts.start("associator 2", second, "associate")
        parts.until(lambda: "stands by" in parts.said("associator 2"))
        parts.start("recorder", last, "record", "--out", str(tmp_path / "run"))
        parts.start("node B", far, "node", "--cameras", "yard")
        parts.until(lambda: sent("yard") > 100)
        far.way.cut()
        parts.start("node A", near, "node", "--cameras", "gate")
        parts.until(lambda: sent("gate") > 300)
        # More tracklets arrive until the connection is restored.
        near.way.cut()
        parts.until(lambda: not client.exists(claim_key(SITE, "yard")))
        held = sent("yard")
        decided = progress_of(bus)
        far.way.mend(drop=True)
        back_s = parts.until(lambda: sent("yard") > held)
        parts.until(lambda: progress_of(bus) > decided + 50)
        first.way.cut()
        takeover_s = parts.until(lambda: term() == 2)
        parts.until(lambda: progress_of(bus) > decided + 200)
        first.way.mend(drop=False)
        # The reconnected associator finds the other one active.
        parts.until(lambda: bool(re.search("has taken over|stands by", parts.said("associator 1"))))
        assert not sent_state(bus, "gate").ended
        near.way.mend(drop=True)
        parts.until(lambda: all(p.poll() == 0 for p in parts.started.values()))
        assert client.keys() == []
    assert not any("s3cret" in parts.said(name) for name in parts.started)
    assert takeover_s < LEASE_S + 30
    record_property("takeover_s", takeover_s)
    record_property("back_s", back_s)
    one, other = (
        export_run(run, "csv", tmp_path / f"{number}.csv").read_text()
        for number, run in enumerate((calm, RunDirectory(tmp_path / "run")))
    )
    assert one == other
    assert len(one.splitlines()) > 3_500
    assert RunDirectory(tmp_path / "run").trajectories()["global_id"].n_unique() > 22


def test_a_user_with_less_than_the_documented_rights_is_refused(tmp_path: Path) -> None:
    rights = documented_rights().replace(" +xadd", "")
    assert rights != documented_rights()
    with by_lines(tmp_path, rights, 1) as found:
        with Bus(found.machines[0].url, SITE) as bus:
            bus.declare()
            with pytest.raises(UserError, match=r"no permissions .*xadd") as raised:
                send(bus, TRACKLETS, [watermark("gate", 1.0)])
    assert "s3cret" not in str(raised.value)


@pytest.mark.slow
def test_the_second_node_of_a_camera_is_refused(tmp_path: Path, parts: Parts) -> None:
    with by_lines(tmp_path / "redis", documented_rights(), 2) as found:
        first, second = found.machines
        with closing(CameraLease(first.url, SITE, ["yard"])) as other:
            assert other.claim() == {}
            with other.renewed():
                parts.start("node", second, "node")
                assert parts.started["node"].wait(ENDS_WITHIN_S) == 2
        said = parts.said("node")
    assert re.search(r"camera yard is already run by a node on \S+\. Expected one node", said)
    assert "Traceback" not in said
