"""Old names of keys."""

import pytest

from pipeline.config.load import check_config
from pipeline.errors import UserError

CAMERAS = {"gate": {"source": "gate.mp4"}, "hall": {"source": "hall.mp4"}}
LINKS = [{"between": ["gate", "hall"], "seconds": 20}]


def test_the_old_name_works_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    old = check_config({"cameras": CAMERAS, "ways": LINKS}, "site.yaml")
    assert caplog.messages == ["site.yaml: ways is deprecated, use camera_links instead"]
    assert old == check_config({"cameras": CAMERAS, "camera_links": LINKS}, "site.yaml")
    assert len(caplog.messages) == 1


def test_both_names_are_refused() -> None:
    with pytest.raises(UserError, match=r"^site\.yaml: ways is the old name of camera_links: "):
        check_config({"ways": LINKS, "camera_links": LINKS}, "site.yaml")
