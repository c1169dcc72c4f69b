"""The system in the API: what waits in Redis, and what the run directory needs."""

from collections.abc import Callable
from pathlib import Path

from builders import camera_sent, make_run
from live_api import LiveApi, RecordedApi
from pipeline.api.system import redis_answer
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.keys import OBSERVATIONS
from pipeline.bus.streams import Bus


def test_the_storage_of_a_past_run(tmp_path: Path) -> None:
    out = make_run(tmp_path / "run", [("gate", 0, 1, (0.0, 0.0, 9.0, 9.0))], {("gate", 1): 5})
    (out / "video").mkdir()
    (out / "video" / "gate.mp4").write_bytes(b"x" * 1000)
    api = RecordedApi(out)
    try:
        found = api.http.get("/system").json()
    finally:
        api.close()
    assert (found["live"], found["redis"]) == (False, None)
    stored = {one["kind"]: (one["bytes"], one["files"]) for one in found["storage"]["stored"]}
    assert stored["video"] == (1000, 1)
    assert stored["thumbnails"] == (0, 0)
    assert stored["observations"][1] == stored["identities"][1] == 1
    files = [path for path in out.rglob("*") if path.is_file()]
    assert sum(size for size, _ in stored.values()) == sum(path.stat().st_size for path in files)
    assert 0 < found["storage"]["free"] <= found["storage"]["total"]


def test_the_system_of_a_live_site(open_api: Callable[..., LiveApi]) -> None:
    api = open_api()
    api.bus.add_part("node:gate")
    api.receive(OBSERVATIONS, camera_sent("gate", 5))
    found = api.http.get("/system").json()
    assert found["live"] is True
    assert found["storage"] is None
    redis = found["redis"]
    assert (redis["fault"], redis["parts"], redis["dead"]) == ("", ["node:gate"], 0)
    assert {one["stream"]: one["length"] for one in redis["streams"]} == {
        "identities": 0,
        "observations": 1,
        "tracklets": 0,
    }
    assert redis["memory"] > 0


def test_a_redis_that_is_gone_is_named(tmp_path: Path, redis_url: str) -> None:
    # The fixture skips where there is no Redis.
    with EmbeddedServer(tmp_path / "redis") as server:
        bus = Bus(server.url, "shop")
        bus.declare()
        assert redis_answer(bus).fault == ""
    with bus:
        found = redis_answer(bus)
    assert "Redis at" in found.fault
    assert (found.streams, found.memory) == ([], None)
