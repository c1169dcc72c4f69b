"""Keys of pictures on a real Redis: they hold for a moment and leave nothing behind."""

import pytest
import redis

from pipeline.bus import pictures
from pipeline.bus.keys import picture_key, wanted_key
from pipeline.bus.pictures import Picture
from pipeline.bus.streams import Bus


@pytest.fixture
def bus(redis_url: str, site: str) -> Bus:
    return Bus(redis_url, site)


def test_nobody_looks_at_nothing(bus: Bus) -> None:
    assert pictures.wanted(bus, []) == set()
    assert pictures.wanted(bus, ["gate"]) == set()
    assert pictures.shown(bus, "gate", "full") is None


def test_what_is_wanted_is_told_by_camera_and_kind(bus: Bus) -> None:
    pictures.want(bus, "gate", "full-boxes")
    pictures.want(bus, "hall", "small")
    assert pictures.wanted(bus, ["gate"]) == {("gate", "full-boxes")}
    assert pictures.wanted(bus, ["gate", "hall"]) == {("gate", "full-boxes"), ("hall", "small")}


def test_a_picture_is_given_once_to_who_knows_it(bus: Bus) -> None:
    picture = Picture(1.25, b"\xff\xd8 jpeg")
    pictures.show(bus, "gate", "full", picture)
    assert pictures.shown(bus, "gate", "full") == picture
    assert pictures.shown(bus, "gate", "full", 1.25) is None
    assert pictures.shown(bus, "gate", "full", 1.0) == picture
    assert pictures.shown(bus, "gate", "small") is None


def test_all_of_it_goes_by_itself(bus: Bus, redis_url: str) -> None:
    pictures.want(bus, "gate", "full")
    pictures.show(bus, "gate", "full", Picture(0.0, b"jpeg"))
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl(wanted_key(bus.site, "gate", "full")) <= 5000
        assert 0 < client.pttl(picture_key(bus.site, "gate", "full")) <= 3000
