"""Old names of keys."""

import pytest

from pipeline.config.load import check_config, current_keys
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


@pytest.mark.parametrize("key", ["same_camera", "other_cameras"])
def test_a_removed_calibration_says_what_to_write(key: str) -> None:
    old = {"association": {"similarity": {key: {"slope": 25.0, "midpoint": 0.5}}}}
    with pytest.raises(
        UserError, match=rf"^site\.yaml: association\.similarity\.{key} is no "
    ) as e:
        check_config(old, "site.yaml")
    assert "give slope, midpoint, common, spread, visit and crop" in str(e.value)


@pytest.mark.parametrize("association", [None, 1, {"similarity": None}, {"similarity": 1}])
def test_other_faults_are_not_those_of_removed_keys(association: object) -> None:
    assert current_keys({"association": association}, "here") == {"association": association}
