"""Secrets are removed from addresses; everything else is unchanged."""

import os

import pytest

from pipeline.sources.redact import displayed, redact


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rtsp://admin:secret@10.0.0.1:554/live", "rtsp://10.0.0.1:554/live"),
        ("rtsp://admin@10.0.0.1/live", "rtsp://10.0.0.1/live"),
        ("rtsp://10.0.0.1:554/live?channel=1", "rtsp://10.0.0.1:554/live?channel=1"),
        ("rtsp://host/stream@1", "rtsp://host/stream@1"),
        ("http://h/v.mp4?user=bob&pwd=secret&n=1", "http://h/v.mp4?user=***&pwd=***&n=1"),
        ("http://h/?Password=secret;token=s3cr/et==", "http://h/?Password=***;token=***"),
        ("https://h/?access_token=secret", "https://h/?access_token=***"),
        (
            "rtsp://h/user=a_password=s_cret_channel=1_s.sdp",
            "rtsp://h/user=***_password=***_channel=1_s.sdp",
        ),
        ("rtsp://ad?min:secret@cam.lan:554/1", "rtsp://cam.lan:554/1"),
        ("rtsp://ad/min:secret@10.0.0.7/1", "rtsp://10.0.0.7/1"),
        ("redis://:secret@host:6379/0", "redis://host:6379/0"),
        ("/videos/user=a@b/password=1.mp4", "/videos/user=a@b/password=1.mp4"),
        ("rtsp:/bob:secret@h/1", "rtsp:/***@h/1"),
        ("rtsp//bob:s/ecret@h/1", "rtsp//***@h/1"),
        ("bob:secret@h/1", "***@h/1"),
        ("/videos/a:b@c.mp4", "/videos/a:b@c.mp4"),
        ("./a:b@c.mp4", "./a:b@c.mp4"),
        ("a:b.mp4", "a:b.mp4"),
        ("cam01@2.mp4", "cam01@2.mp4"),
        ("cam01.mp4", "cam01.mp4"),
        ("0", "0"),
    ],
)
def test_redact(source: str, expected: str) -> None:
    assert redact(source) == expected


@pytest.mark.parametrize(
    "password", ["p@ss", "p/ss", "p@s/s", "p#ss", "p?ss", "1/2", "p:ss@", "p%40ss"]
)
def test_unquoted_passwords_are_removed(password: str) -> None:
    shown = redact(f"rtsp://user:{password}@host:554/live")
    assert shown == "rtsp://host:554/live"


def test_bytes_that_are_not_utf8_are_displayed() -> None:
    name = os.fsdecode(b"Eing\xe4nge.mp4")
    assert displayed(name) == "Eing\\xe4nge.mp4"
    assert displayed("rtsp://bob:secret@h/\u00e4") == "rtsp://h/\u00e4"
