"""The scene of the demo, with people of one colour in place of those of the clip."""

from itertools import combinations
from pathlib import Path

import av
import numpy as np
import pytest

from demo_scene import scene
from demo_scene.colours import PEOPLE, DyedClothes, dressed
from demo_scene.cutting import WalkFrame, cut_out
from demo_scene.scene import CAMERAS, SIZE, WALKS, WalkPast, compose, end_of, part_of, write_truth
from pipeline.evaluation.ground_truth import read_ground_truth

SKIN, SHIRT, TROUSERS = (120, 140, 200), (90, 100, 80), (130, 95, 105)


def person() -> WalkFrame:
    """A person of rectangles: skin, with a shirt and trousers, 200 pixels tall."""
    image = np.full((200, 60, 3), SKIN, np.uint8)
    image[30:100] = SHIRT
    image[30:100, :8] = SKIN
    image[100:165] = TROUSERS
    return WalkFrame(image, np.full((200, 60), 255, np.uint8), 26.0)


def test_only_the_garments_change() -> None:
    red, blue = (1.0, 190, 160), (1.0, 128, 90)
    image = dressed(person(), DyedClothes(red, blue)).image.astype(int)
    assert np.abs(image[:20] - SKIN).max() <= 3
    assert np.abs(image[180:] - SKIN).max() <= 3
    assert np.abs(image[40:80, :4] - SKIN).max() <= 8
    blue_, green, red_ = image[60, 30]
    assert red_ > green + 60
    assert red_ > blue_
    blue_, green, red_ = image[130, 30]
    assert blue_ > red_ + 30
    assert np.array_equal(dressed(person(), DyedClothes()).image, person().image)


def test_a_mirrored_step_keeps_its_head() -> None:
    step = person().mirrored()
    assert step.head == 33.0
    assert np.array_equal(step.image, person().image[:, ::-1])


def test_a_camera_shows_its_part_of_the_place() -> None:
    place = np.zeros((994, 1768, 3), np.uint8)
    place[:, :884] = 200
    assert {part_of(place, camera).shape for camera in CAMERAS.values()} == {(540, 960, 3)}
    mirrored = part_of(place, CAMERAS["path"])
    assert mirrored[0, -1, 0] == 200
    assert mirrored[0, 0, 0] == 0
    for camera in CAMERAS.values():
        left, top, width = (share * 1768 for share in camera.part)
        assert left + width <= 1768
        assert top + width * SIZE[1] / SIZE[0] <= 994 + 1


def test_nobody_is_in_two_cameras_at_once_and_all_are_seen_by_several() -> None:
    def span(walk: WalkPast) -> tuple[float, float]:
        return walk.start, end_of(walk, CAMERAS[walk.camera])

    assert {walk.person for walk in WALKS} == set(range(len(PEOPLE)))
    for number in range(len(PEOPLE)):
        theirs = [walk for walk in WALKS if walk.person == number]
        assert len({walk.camera for walk in theirs}) >= 2
        for one, other in combinations(sorted(theirs, key=span), 2):
            assert span(one)[1] < span(other)[0]
    assert max(end_of(walk, CAMERAS[walk.camera]) for walk in WALKS) < scene.LENGTH_S + 6


def test_the_videos_and_their_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "LENGTH_S", 3.0)
    monkeypatch.setattr(scene, "WALKS", (WalkPast(1, "gate", 0.0, to_right=False),))
    place = np.zeros((994, 1768, 3), np.uint8)
    truth = compose(place, [[person()], [person()]], tmp_path)
    write_truth(truth, tmp_path / "truth")
    found = read_ground_truth(tmp_path / "truth", ["gate"])
    assert found["person_id"].unique().to_list() == [2]
    with av.open(str(tmp_path / "gate.mp4")) as container:
        images = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    assert len(images) == 30
    row = found.filter(frame_index=15).row(0, named=True)
    seen = images[15].max(axis=2) > 60
    assert np.flatnonzero(seen.any(axis=0))[[0, -1]] == pytest.approx([row["x1"], row["x2"]], abs=3)
    assert np.flatnonzero(seen.any(axis=1))[[0, -1]] == pytest.approx([row["y1"], row["y2"]], abs=3)
    for name in ("path", "yard"):
        assert (tmp_path / f"{name}.mp4").is_file()


def test_a_clip_that_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has 0 frames, expected at least 177"):
        cut_out(tmp_path / "nothing.mp4")
