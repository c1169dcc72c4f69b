"""Picture keys on a real Redis: they expire and leave nothing behind."""

import pytest
import redis

from pipeline.bus import pictures
from pipeline.bus.keys import picture_key, picture_request_key
from pipeline.bus.pictures import Picture
from pipeline.bus.streams import Bus


@pytest.fixture
def bus(redis_url: str, site: str) -> Bus:
    return Bus(redis_url, site)


def test_without_requests_there_are_no_pictures(bus: Bus) -> None:
    assert pictures.requested(bus, []) == set()
    assert pictures.requested(bus, ["gate"]) == set()
    assert pictures.newer(bus, {"gate": None}, "full") == {}


def test_requests_are_by_camera_and_kind(bus: Bus) -> None:
    pictures.request(bus, ["gate"], "full-boxes")
    pictures.request(bus, ["hall"], "small")
    assert pictures.requested(bus, ["gate"]) == {("gate", "full-boxes")}
    assert pictures.requested(bus, ["gate", "hall"]) == {("gate", "full-boxes"), ("hall", "small")}


def test_a_known_picture_is_not_returned_again(bus: Bus) -> None:
    picture = Picture(1.25, b"\xff\xd8 jpeg")
    pictures.publish(bus, "gate", "full", picture)
    assert pictures.newer(bus, {"gate": None, "hall": None}, "full") == {"gate": picture}
    assert pictures.newer(bus, {"gate": 1.25}, "full") == {}
    assert pictures.newer(bus, {"gate": 1.0}, "full") == {"gate": picture}
    assert pictures.newer(bus, {"gate": None}, "small") == {}


def test_requests_and_pictures_expire(bus: Bus, redis_url: str) -> None:
    pictures.request(bus, ["gate"], "full")
    pictures.publish(bus, "gate", "full", Picture(0.0, b"jpeg"))
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl(picture_request_key(bus.site, "gate", "full")) <= 5000
        assert 0 < client.pttl(picture_key(bus.site, "gate", "full")) <= 3000
