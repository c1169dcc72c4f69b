"""Changes of a running site, and those that take a restart."""

from typing import Any

import pytest

from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.runtime.reload import difference
from pipeline.sources.source_kinds import is_live

GATE, YARD, OLD = {"source": "rtsp://h/gate"}, {"source": "rtsp://h/yard"}, {"source": "old.mp4"}


def site(cameras: dict[str, Any], **settings: object) -> SiteConfig:
    return check_config({"cameras": cameras, **settings}, "the test")


def test_the_same_file_changes_nothing() -> None:
    now = site({"gate": GATE, "yard": YARD})
    found = difference(now, site({"yard": YARD, "gate": GATE}))
    assert (found.opened, found.closed, found.restart, str(found)) == ((), (), (), "")
    assert found.config == now


def test_cameras_are_added_removed_and_changed() -> None:
    now = site({"gate": GATE, "yard": YARD})
    wanted = site({"gate": {**GATE, "live": {"late_s": 5}}, "hall": {"source": "0"}})
    found = difference(now, wanted)
    assert (found.added, found.removed, found.changed) == (("hall",), ("yard",), ("gate",))
    assert (found.opened, found.closed) == (("hall", "gate"), ("yard", "gate"))
    assert (found.config, found.restart) == (wanted, ())
    assert str(found) == "added hall; removed yard; changed gate"


def test_a_changed_calibration_is_a_changed_camera() -> None:
    calibration = {"homography": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    found = difference(site({"a": GATE}), site({"a": {**GATE, "calibration": calibration}}))
    assert found.changed == ("a",)


def test_the_last_camera_can_be_removed() -> None:
    found = difference(site({"gate": GATE}), site({}))
    assert (found.removed, found.config.cameras) == (("gate",), {})


@pytest.mark.parametrize("before", [{}, {"old": OLD}, {"old": YARD}])
@pytest.mark.parametrize("after", [{}, {"old": {**OLD, "fps": 5}}, {"old": {"source": "1"}}])
def test_a_recording_cannot_be_added_removed_or_changed(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    if OLD not in before.values() and {**OLD, "fps": 5} not in after.values():
        return
    now = site({"gate": GATE, **before})
    found = difference(now, site({"gate": GATE, **after}))
    assert found.restart == ("cameras.old",)
    assert (found.opened, found.closed) == ((), ())
    assert found.config == now


def test_other_sections_are_named_and_unchanged() -> None:
    now = site({"gate": GATE})
    wanted = site({"yard": YARD}, redis="redis://h", detector={"batch": 9})
    found = difference(now, wanted)
    assert found.restart == ("redis", "detector")
    assert (found.config.redis, found.config.detector) == (None, now.detector)
    assert list(found.config.cameras) == ["yard"]


def test_a_camera_link_is_removed_with_its_camera() -> None:
    link = {"between": ["gate", "yard"], "seconds": 5}
    now = site({"gate": GATE, "yard": YARD}, camera_links=[link])
    gone = difference(now, site({"gate": GATE}))
    assert (gone.restart, gone.config.camera_links) == ((), [])
    back = difference(gone.config, now)
    assert (back.added, back.restart, back.config.camera_links) == (
        ("yard",),
        ("camera_links",),
        [],
    )


@pytest.mark.parametrize(
    ("cameras", "live"),
    [({}, True), ({"old": OLD}, False), ({"old": OLD, "gate": GATE}, True), ({"a": {}}, False)],
)
def test_which_sites_are_live(cameras: dict[str, Any], live: bool) -> None:
    assert is_live(site(cameras)) is live
