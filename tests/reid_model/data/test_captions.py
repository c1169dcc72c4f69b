"""Descriptions of people, and the pictures that belong to them."""

import json
import os
from pathlib import Path

import pytest

from reid_model.data import READERS, ReidImage, ReidSet
from reid_model.data.captions import read_captions


def set_of(name: str, *identities: int) -> ReidSet:
    """Two training pictures of each identity; identity 9 is in the test part."""
    train = tuple(
        ReidImage(Path(f"{name}/{identity}_{view}.jpg"), identity, view)
        for identity in identities
        for view in (1, 2)
    )
    tested = (ReidImage(Path(f"{name}/9.jpg"), 9, 1),)
    return ReidSet(name, train, tested, tested)


def write(root: Path, *rows: dict[str, object] | str) -> Path:
    folder = root / "captions"
    folder.mkdir()
    (folder / "a.jpg").touch()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "captions.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return root


def row(dataset: str, identity: str, *captions: str, **more: object) -> dict[str, object]:
    return {
        "dataset": dataset,
        "identity": identity,
        "image": None,
        "captions": list(captions),
        **more,
    }


def test_a_caption_belongs_to_its_picture_or_else_to_all_of_the_person(tmp_path: Path) -> None:
    write(
        tmp_path,
        row("one", "0003", "red coat", "long coat", image="captions/a.jpg"),
        row("two", "3", "blue hat"),
        row("one", "3", "black bag"),
    )
    found = read_captions(tmp_path, {"one": set_of("one", 3, 4), "two": set_of("two", 3)})
    assert [one.text for one in found] == ["red coat", "long coat", "blue hat", "black bag"]
    assert found[0].pictures == found[1].pictures == (tmp_path / "captions" / "a.jpg",)
    assert found[2].pictures == (Path("two/3_1.jpg"), Path("two/3_2.jpg"))
    assert found[3].pictures == (Path("one/3_1.jpg"), Path("one/3_2.jpg"))
    # The same number in another set is another person.
    assert found[0].person == found[1].person == found[3].person != found[2].person


def test_people_of_test_parts_are_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        row("one", "9", "a query", image="captions/a.jpg"),
        row("one", "3", "numbered again", split="val"),
        row("one", "4", "left out of the set"),
        row("another", "3", "of a set not given"),
        row("one", "3", "kept", split="train"),
    )
    found = read_captions(tmp_path, {"one": set_of("one", 3)})
    assert [one.text for one in found] == ["kept"]


def test_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    sets = {"one": set_of("one", 3)}
    with pytest.raises(ValueError, match=r"captions\.jsonl is missing"):
        read_captions(tmp_path, sets)
    write(tmp_path, row("one", "9", "a query"))
    with pytest.raises(ValueError, match="describes no person in the training pictures of one"):
        read_captions(tmp_path, sets)
    path = tmp_path / "captions" / "captions.jsonl"
    for line in ("{", "[]", '{"dataset": "one"}', json.dumps(row("one", "x", "y"))):
        path.write_text(json.dumps(row("one", "3", "fine")) + f"\n{line}\n")
        with pytest.raises(ValueError, match=r"cannot read line 2 of .*captions\.jsonl"):
            read_captions(tmp_path, sets)
    path.write_text(json.dumps(row("one", "3", "fine", image="captions/b.jpg")))
    with pytest.raises(ValueError, match=r"b\.jpg is missing"):
        read_captions(tmp_path, sets)


@pytest.mark.skipif("FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set")
def test_the_real_captions() -> None:
    root = Path(os.environ["FUSETRACK_DATA"]) / "reid"
    sets = {name: READERS[name](root / name) for name in ("market1501", "cuhk01", "cuhk03")}
    found = read_captions(root, sets)
    # 221 of Market-1501's 438 people described are in its training part.
    assert len({one.person for one in found}) == 221 + 195 + 205
    market = [
        path.name for one in found for path in one.pictures if path.parent.name == "market1501"
    ]
    tested = {image.identity for image in sets["market1501"].query}
    assert market
    assert not tested & {int(name.split("_")[0]) for name in market}
