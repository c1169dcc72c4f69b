"""The configuration of live cameras."""

import pytest

from pipeline.config.load import check_config
from pipeline.config.schema import CameraConfig, LiveConfig
from pipeline.errors import UserError


def test_the_defaults_are_consistent() -> None:
    live = CameraConfig().live
    assert (live.transport, live.clock) == ("tcp", "auto")
    assert live.buffer_s < live.late_s
    assert live.retry_s < live.retry_max_s


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ({"transport": "pigeon"}, "cameras.a.live.transport"),
        ({"clock": "sun"}, "cameras.a.live.clock"),
        ({"retry_s": 2, "retry_max_s": 1.9}, "retry_max_s to be at least retry_s"),
        ({"buffer_s": 1, "late_s": 1}, "late_s to be more than buffer_s"),
        ({"read_timeout_s": 0}, "cameras.a.live.read_timeout_s"),
        ({"bufer_s": 1}, "bufer_s"),
    ],
)
def test_invalid_values(live: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_config({"cameras": {"a": {"live": live}}}, "the test")


def test_equal_waits_are_allowed() -> None:
    assert LiveConfig(retry_s=2, retry_max_s=2).retry_max_s == 2


def test_unknown_hardware() -> None:
    with pytest.raises(UserError, match=r"cameras\.a\.hwaccel"):
        check_config({"cameras": {"a": {"hwaccel": "abacus"}}}, "the test")
