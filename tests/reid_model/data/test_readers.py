"""Data set readers: on layouts made here, and on the real data where available."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from reid_model.data import READERS, ReidImage, ReidSet, class_labels, joined

needs_data = pytest.mark.skipif(
    "FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set: no real data"
)


def touch(root: Path, *names: str) -> None:
    """Empty files: readers use names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def rows(images: Iterable[ReidImage]) -> list[tuple[str, int, int]]:
    return [(image.path.name, image.identity, image.camera) for image in images]


MARKET_LIKE = ("market1501", "dukemtmc-reid", "occluded-duke")


@pytest.mark.parametrize("name", MARKET_LIKE)
def test_market_and_similar_sets(name: str, tmp_path: Path) -> None:
    touch(
        tmp_path,
        "bounding_box_train/0007_c2s1_000451_03.jpg",
        "bounding_box_train/0002_c1_f0046182.jpg",
        "bounding_box_train/Thumbs.db",
        "query/0001_c1s1_001051_00.jpg",
        "bounding_box_test/0001_c6s1_001051_00.jpg",
        "bounding_box_test/0000_c3s1_000151_01.jpg",
        "bounding_box_test/-1_c3s1_000151_01.jpg",
    )
    found = READERS[name](tmp_path)
    assert found.name == name
    assert rows(found.train) == [
        ("0002_c1_f0046182.jpg", 2, 1),
        ("0007_c2s1_000451_03.jpg", 7, 2),
    ]
    assert rows(found.query) == [("0001_c1s1_001051_00.jpg", 1, 1)]
    assert rows(found.gallery) == [
        ("0000_c3s1_000151_01.jpg", 0, 3),
        ("0001_c6s1_001051_00.jpg", 1, 6),
    ]
    assert found.query[0].path == tmp_path / "query" / "0001_c1s1_001051_00.jpg"


def test_mixed_holds_out_every_twentieth_identity(tmp_path: Path) -> None:
    market = [f"market1501/bounding_box_train/{i:04}_c{c}_0.jpg" for i in range(21) for c in (2, 5)]
    touch(
        tmp_path,
        *market,
        "market1501/query/0090_c1_0.jpg",
        "market1501/bounding_box_test/0090_c2_0.jpg",
        "cuhk03/train/0001_00.webp",
        "cuhk03/train/0001_05.webp",
        "cuhk03/val/0001_00.webp",
        "cuhk03/val/0001_05.webp",
        "cuhk01/train/0001_1.webp",
    )
    found = READERS["mixed"](tmp_path)
    # Identities 0 and 20 of Market-1501; the sets' own test parts are not used.
    assert [image.path.name for image in found.query] == ["0000_c2_0.jpg", "0020_c2_0.jpg"]
    assert [image.path.name for image in found.gallery] == ["0000_c5_0.jpg", "0020_c5_0.jpg"]
    assert len(found.train) == 2 * 19 + 2 + 1
    used = {image.path.parent.name for image in found.train + found.query + found.gallery}
    assert used == {"bounding_box_train", "train"}
    held_out = {image.identity for image in found.query + found.gallery}
    assert not held_out & {image.identity for image in found.train}


def msmt17(root: Path, train: str = "train", test: str = "test") -> None:
    names = {
        "list_train.txt": "0001/0001_000_05_0303morning_0008_0.jpg 1\n\n0000/0000_000_01_x.jpg 0\n",
        "list_val.txt": "0001/0001_001_15_0303noon_0010_1.jpg 1\n",
        "list_query.txt": "0000/0000_000_02_a.jpg 0\n",
        "list_gallery.txt": "0000/0000_000_14_b.jpg 0\n",
    }
    for name, lines in names.items():
        (root / name).write_text(lines)
        folder = train if name in ("list_train.txt", "list_val.txt") else test
        touch(root / folder, *(line.split()[0] for line in lines.split("\n") if line))


@pytest.mark.parametrize("folders", [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_msmt17(folders: tuple[str, str], tmp_path: Path) -> None:
    msmt17(tmp_path, *folders)
    found = READERS["msmt17"](tmp_path)
    assert rows(found.train) == [
        ("0001_000_05_0303morning_0008_0.jpg", 1, 5),
        ("0000_000_01_x.jpg", 0, 1),
        ("0001_001_15_0303noon_0010_1.jpg", 1, 15),
    ]
    assert rows(found.query) == [("0000_000_02_a.jpg", 0, 2)]
    assert found.gallery == (
        ReidImage(tmp_path / folders[1] / "0000" / "0000_000_14_b.jpg", 0, 14),
    )


@pytest.mark.parametrize("line", ["0001_000_05.jpg", "0001/0001.jpg 1", "0/0_0_x_0.jpg 1"])
def test_msmt17_with_a_bad_line(line: str, tmp_path: Path) -> None:
    msmt17(tmp_path)
    (tmp_path / "list_val.txt").write_text(line)
    with pytest.raises(ValueError, match=r"bad line in .*list_val\.txt"):
        READERS["msmt17"](tmp_path)


def test_msmt17_with_a_picture_missing(tmp_path: Path) -> None:
    msmt17(tmp_path)
    (tmp_path / "test/0000/0000_000_14_b.jpg").unlink()
    with pytest.raises(ValueError, match=r"0000_000_14_b\.jpg is missing"):
        READERS["msmt17"](tmp_path)


def test_cuhk03(tmp_path: Path) -> None:
    touch(tmp_path, "train/0000_04.webp", "train/0000_05.webp")
    touch(tmp_path, "val/0001_09.webp", "val/0001_00.webp", "val/0000_04.webp")
    found = READERS["cuhk03"](tmp_path)
    assert rows(found.train) == [("0000_04.webp", 0, 1), ("0000_05.webp", 0, 2)]
    assert rows(found.query) == [("0000_04.webp", 0, 1), ("0001_00.webp", 1, 1)]
    assert rows(found.gallery) == [("0001_09.webp", 1, 2)]


def test_cuhk01(tmp_path: Path) -> None:
    touch(tmp_path, *(f"train/0031_{view}.webp" for view in (4, 3, 2, 1)))
    found = READERS["cuhk01"](tmp_path)
    assert [image.camera for image in found.train] == [1, 1, 2, 2]
    assert {image.identity for image in found.train} == {31}
    assert (found.query, found.gallery) == ((), ())


def test_a_folder_of_identities(tmp_path: Path) -> None:
    touch(tmp_path, "zoe/hall_2.png", "zoe/door_1.JPG", "zoe/door_1.txt", "zoe/.door_2.jpg")
    touch(tmp_path, "adam/hall/7.jpg", "adam/adam/1.jpg", ".cache/x_1.jpg", "notes.txt")
    found = READERS["folder"](tmp_path)
    # cameras by name: adam, door, hall
    assert rows(found.train) == [
        ("1.jpg", 0, 0),
        ("7.jpg", 0, 2),
        ("door_1.JPG", 1, 1),
        ("hall_2.png", 1, 2),
    ]
    assert (found.name, found.query, found.gallery) == (tmp_path.name, (), ())


def test_a_folder_with_query_and_gallery(tmp_path: Path) -> None:
    touch(tmp_path, "train/ann/a_1.jpg", "query/bob/b_1.jpg")
    touch(tmp_path, "gallery/bob/a_1.jpg", "gallery/cid/b/1.jpg")
    found = READERS["folder"](tmp_path)
    assert rows(found.train) == [("a_1.jpg", 0, 0)]
    assert rows(found.query) == [("b_1.jpg", 1, 1)]
    assert rows(found.gallery) == [("a_1.jpg", 1, 0), ("1.jpg", 2, 1)]


def test_a_folder_to_evaluate_only(tmp_path: Path) -> None:
    touch(tmp_path, "query/bob/b_1.jpg", "gallery/bob/a_1.jpg")
    found = READERS["folder"](tmp_path)
    assert (len(found.train), len(found.query), len(found.gallery)) == (0, 1, 1)


def test_a_query_without_a_gallery(tmp_path: Path) -> None:
    touch(tmp_path, "query/bob/b_1.jpg")
    with pytest.raises(ValueError, match="gallery is missing"):
        READERS["folder"](tmp_path)


@pytest.mark.parametrize("name", ["bob/1.jpg", "bob/_1.jpg"])
def test_a_folder_picture_without_a_camera(name: str, tmp_path: Path) -> None:
    touch(tmp_path, name)
    with pytest.raises(ValueError, match=r"1\.jpg.*CAMERA_anything"):
        READERS["folder"](tmp_path)


SOURCES = {
    "market1501": "Liang Zheng",
    "mixed": "Liang Zheng",
    "msmt17": "Longhui Wei",
    "dukemtmc-reid": "withdrew",
    "occluded-duke": "withdrew",
    "cuhk03": "Chinese University of Hong Kong",
    "cuhk01": "Chinese University of Hong Kong",
    "folder": "your own cameras",
}


@pytest.mark.parametrize("name", READERS)
def test_missing_data(name: str, tmp_path: Path) -> None:
    for root in (tmp_path / "gone", tmp_path):
        with pytest.raises(ValueError, match=r"is missing\. Expected .* Source: ") as error:
            READERS[name](root)
        assert SOURCES[name] in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("market1501", "bounding_box_train/person7.jpg"),
        ("cuhk03", "val/0001_17.webp"),
        ("cuhk01", "train/0001_5.webp"),
    ],
)
def test_misnamed_pictures(name: str, file: str, tmp_path: Path) -> None:
    touch(tmp_path, file)
    with pytest.raises(ValueError, match=Path(file).name):
        READERS[name](tmp_path)


def test_class_labels_and_joined_sets() -> None:
    one = ReidSet("one", (image(7, 1), image(3, 2), image(7, 2)), (image(7, 1),), ())
    two = ReidSet("two", (image(7, 1), image(1, 5)), (), ())
    assert class_labels(one.train).tolist() == [1, 0, 1]
    both = joined("both", [one, two])
    assert (both.name, both.query, both.gallery) == ("both", (), ())
    assert [one.identity for one in both.train] == [1, 0, 1, 3, 2]
    assert [one.camera for one in both.train] == [0, 1, 1, 2, 3]
    assert class_labels(()).shape == (0,)


def image(identity: int, camera: int) -> ReidImage:
    return ReidImage(Path("x.jpg"), identity, camera)


@needs_data
@pytest.mark.parametrize(
    ("name", "identities", "counts"),
    [
        (
            "market1501",
            (751, 750, 751),
            (12936, 3368, 15913),
        ),  # the gallery's 751st are the distractors
        ("cuhk03", (743, 100, 100), (7239, None, None)),
        ("cuhk01", (671, 0, 0), (2684, 0, 0)),
    ],
)
def test_real_data(name: str, identities: tuple[int, ...], counts: tuple[int | None, ...]) -> None:
    found = READERS[name](Path(os.environ["FUSETRACK_DATA"]) / "reid" / name)
    parts = (found.train, found.query, found.gallery)
    assert tuple(len({one.identity for one in part}) for part in parts) == identities
    for part, count in zip(parts, counts, strict=True):
        assert count is None or len(part) == count
    if name == "market1501":
        assert set(Counter(one.camera for one in found.train)) == {1, 2, 3, 4, 5, 6}
    if name == "cuhk03":
        assert len(found.query) + len(found.gallery) == 938
