"""Zones and lines in the API: events, counts and metrics, from messages on a real Redis."""

from collections.abc import Callable

import pytest

from builders import camera_sent, identity_sent, observations_sent
from live_api import LiveApi
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS

# The foot goes from 20 to the right by a pixel a frame, at 90 from the top.
ZONES = {"till": {"camera": "gate", "points": [[30, 80], [40, 80], [40, 99], [30, 99]]}}
LINES = {"door": {"camera": "gate", "points": [[50, 0], [50, 200]], "to_left": "in"}}


def test_people_in_zones_are_events_counts_and_metrics(open_api: Callable[..., LiveApi]) -> None:
    api = open_api(zones=ZONES, lines=LINES)
    for start in range(0, 50, 10):
        api.receive(OBSERVATIONS, observations_sent("gate", range(start, start + 10), 4))
    assert api.http.get("/counts").json()["zones"] == [
        {"zone": "till", "people": 0, "identities": []}
    ]
    api.receive(IDENTITIES, identity_sent("gate", 4, 7, 3.0))
    found = [e for e in api.site.events.after(0, 20)[0] if e["type"] in ("enter", "cross", "leave")]
    assert [(event["type"], event["global_id"], event["at"]) for event in found] == [
        ("enter", 7, 1.0),
        ("cross", 7, 3.4),
    ]
    counts = api.http.get("/counts").json()
    assert counts["zones"] == [{"zone": "till", "people": 1, "identities": [7]}]
    assert counts["lines"] == [
        {"line": "door", "direction": "right", "crossings": 0},
        {"line": "door", "direction": "in", "crossings": 1},
    ]
    page = api.http.get("/metrics")
    label = f'site="{api.bus.site}"'
    assert f'fusetrack_zone_people{{{label},zone="till"}} 1.0' in page.text
    assert f'fusetrack_line_crossings_total{{direction="in",line="door",{label}}} 1.0' in page.text
    assert page.headers["content-type"].startswith("text/plain")


def test_a_zone_outside_the_picture_is_told_once_its_size_is_known(
    open_api: Callable[..., LiveApi], caplog: pytest.LogCaptureFixture
) -> None:
    api = open_api(zones={"till": {"camera": "gate", "points": [[700, 0], [800, 0], [800, 9]]}})
    assert "zones.till" not in caplog.text
    for frames in (10, 20):
        api.receive(OBSERVATIONS, camera_sent("gate", frames))
    (warning,) = [text for text in caplog.messages if "zones.till" in text]
    assert "outside the picture of camera gate" in warning
    assert "nobody is counted there" in warning


def test_a_site_without_zones_counts_nothing(api: LiveApi) -> None:
    assert api.http.get("/counts").json() == {"now": None, "zones": [], "lines": []}
    assert api.http.get("/metrics").status_code == 200
