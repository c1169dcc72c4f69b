"""The manifest, finding verified files, and fetching them from each kind of source."""

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.weights import (
    Weights,
    entry_by_hash,
    fetch,
    load_manifest,
    pull,
    store,
    verify,
    weights_files,
    weights_path,
)
from pipeline.weights.manifest import network_beside

CONTENT = b"some weights"
OTHER = b"some words!!"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(files: dict[str, list[dict[str, str]]], content: bytes = CONTENT) -> Weights:
    return Weights.model_validate(
        {
            "kind": "detector",
            "about": "a test",
            "licence": "none",
            "files": {
                name: {"sha256": sha256(content), "size": len(content), "sources": sources}
                for name, sources in files.items()
            },
        }
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FUSETRACK_CACHE", str(folder))
    monkeypatch.delenv("FUSETRACK_WEIGHTS", raising=False)
    return folder


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index, with one wheel that contains two files and an archive."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/a.bin", CONTENT)
        wheel.writestr("carrier/b.bin", CONTENT)
        within = io.BytesIO()
        with zipfile.ZipFile(within, "w") as archive:
            archive.writestr("deep/c.bin", CONTENT)
        wheel.writestr("carrier/more.zip", within.getvalue())
        wheel.writestr(
            "carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"
        )
        wheel.writestr(
            "carrier-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server with the right file, one of the same size, and one that is too long."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "right.bin").write_bytes(CONTENT)
    (folder / "wrong.bin").write_bytes(OTHER)
    (folder / "long.bin").write_bytes(CONTENT + b"!")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake npm that has one small package."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.bin").write_bytes(CONTENT)
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        "for last; do :; done; last=${last#@some/}\n"
        '[ "$last" = carrier@1.0 ] || { echo "404 $last" >&2; exit 1; }\n'
        f'tar czf "$5/carrier-1.0.tgz" -C {tmp_path} package\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize("name", ["carrier@1.0", "@some/carrier@1.0"])
def test_a_member_of_an_npm_package(cache: Path, npm: None, name: str) -> None:
    source = {"npm": name, "member": "package/a.bin"}
    (path,) = pull(["x"], quiet, {"x": entry({"f": [source]})})
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("package", "member", "message"),
    [
        ("carrier@1.0", "package/none.bin", "it has no readable package/none.bin"),
        ("carrier@1.0", "package", "it has no readable package"),
        ("unknown@1.0", "package/a.bin", "404 unknown@1.0"),
    ],
)
def test_a_package_of_npm_that_fails_is_named(
    cache: Path, npm: None, package: str, member: str, message: str
) -> None:
    source = {"npm": package, "member": member}
    with pytest.raises(UserError, match=message):
        pull(["x"], quiet, {"x": entry({"f": [source]})})


def wheel(member: str) -> dict[str, str]:
    return {"wheel": "carrier==1.0", "member": f"carrier/{member}"}


def quiet(line: str) -> None:
    pass


def test_an_object_of_a_program_is_no_file() -> None:
    with pytest.raises(UserError, match=r"mine\.Net was an object of a program and is in no file"):
        weights_path("own:mine.Net", kind="reid")


def test_the_manifest_contains_the_defaults() -> None:
    manifest = load_manifest()
    assert manifest["yolo26n"].kind == "detector"
    network = manifest["person-reidentification-retail-0277"].network
    assert network is not None
    assert (network.input.height, network.input.width) == (256, 128)
    assert list(manifest["demo-clips"].files)[:4] == [f"cam0{n}.mp4" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x: {kind: detector, about: a, licence: b, files: {}}", "x.files"),
        ("x: {kind: detector, about: a, licence: b, files: {f: {colour: red}}}", "x.files.f"),
        (
            "x: {kind: reid, about: a, licence: b, files: {f: {sha256: 00, size: 1, sources: []}}}",
            "x.files.f.sha256",
        ),
        ("[1]", "the top"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_fault_in_the_manifest_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=named) as caught:
        load_manifest(path)
    assert str(path) in str(caught.value)


def test_an_unknown_key_in_the_manifest_is_refused(tmp_path: Path) -> None:
    files = f"{{f: {{sha256: {sha256(CONTENT)}, size: 1, sources: []}}}}"
    path = tmp_path / "models.yaml"
    path.write_text(f"x: {{kind: detector, about: a, licence: b, files: {files}}}")
    assert list(load_manifest(path)) == ["x"]
    path.write_text(f"x: {{kind: detector, about: a, licence: b, files: {files}, colour: red}}")
    with pytest.raises(UserError, match=r"x\.colour"):
        load_manifest(path)


def test_a_source_is_exactly_one_place() -> None:
    with pytest.raises(ValueError, match="either url, or wheel or npm with member"):
        entry({"f": [{"url": "https://example.org/f", **wheel("f")}]})
    with pytest.raises(ValueError, match="either url, or wheel or npm with member"):
        entry({"f": [{"wheel": "carrier==1.0"}]})
    with pytest.raises(ValueError, match="within beside member only"):
        entry({"f": [{"url": "https://example.org/f", "within": "g"}]})


def test_one_wheel_serves_all_files_of_a_pull(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = []
    real = fetch._download_wheel
    monkeypatch.setattr(
        fetch, "_download_wheel", lambda *given: downloads.append(given) or real(*given)
    )
    manifest = {"pair": entry({"a.bin": [wheel("a.bin")], "b.bin": [wheel("b.bin")]})}
    paths = pull(["pair"], quiet, manifest)
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]
    assert len(downloads) == 1
    assert weights_files("pair", manifest) == paths
    lines: list[str] = []
    assert pull(["pair"], lines.append, manifest) == paths
    assert lines == ["a.bin: already in the cache", "b.bin: already in the cache"]


def test_a_file_of_an_archive_in_a_wheel(registry: Path) -> None:
    source = {**wheel("more.zip"), "within": "deep/c.bin"}
    (path,) = pull(["x"], quiet, {"x": entry({"f": [source]})})
    assert path.read_bytes() == CONTENT
    for broken, named in (
        ({**source, "within": "none.bin"}, "no readable none.bin"),
        ({**wheel("a.bin"), "within": "c.bin"}, "no readable c.bin"),
    ):
        with pytest.raises(UserError, match=named):
            pull(["y"], quiet, {"y": entry({"f": [broken]})})


@pytest.mark.parametrize("within", [False, True])
def test_a_member_that_unpacks_to_more_than_it_should_is_not_unpacked(
    registry: Path, cache: Path, within: bool
) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/d.bin", bytes(30_000_000))
    with zipfile.ZipFile(
        registry / "carrier-1.0-py3-none-any.whl", "a", zipfile.ZIP_DEFLATED
    ) as wheel:
        wheel.writestr("carrier/bomb.zip", inner.getvalue())
        wheel.writestr("carrier/bomb.bin", bytes(30_000_000))
    member = {"member": "carrier/bomb.zip", "within": "deep/d.bin"} if within else {}
    source = {"wheel": "carrier==1.0", "member": "carrier/bomb.bin", **member}
    with pytest.raises(UserError, match=r"unpacks to 30000000 bytes, expected at most 12"):
        pull(["it"], print, {"it": entry({"a.bin": [source]})})
    assert not list(cache.rglob("*.bin*"))


def tarball(path: Path, *, link: bool) -> None:
    """A package of npm whose `a.bin` is 30 MB, or a link to that."""
    with tarfile.open(path, "w:gz") as archive:
        large = tarfile.TarInfo("b.bin" if link else "a.bin")
        large.size = 30_000_000
        archive.addfile(large, io.BytesIO(bytes(large.size)))
        if link:
            name = tarfile.TarInfo("a.bin")
            name.type, name.linkname = tarfile.SYMTYPE, "b.bin"
            archive.addfile(name)


@pytest.mark.parametrize("link", [False, True])
def test_a_link_to_a_member_is_as_large_as_the_member(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    tarball(tmp_path / "a.tgz", link=link)
    monkeypatch.setattr(fetch, "_download_npm", lambda package, scratch: tmp_path / "a.tgz")
    with pytest.raises(UserError, match=r"expected at most 12|larger than the 12 bytes"):
        pull(["it"], quiet, {"it": entry({"a.bin": [{"npm": "a@1.0", "member": "a.bin"}]})})
    assert not list(cache.rglob("*.bin*"))


def _lying(content: bytes) -> bytes:
    """A zip archive whose list says of a member that it has 12 bytes."""
    place = content.index(b"PK\1\2")
    return content[: place + 24] + (12).to_bytes(4, "little") + content[place + 28 :]


def _encrypted(content: bytes) -> bytes:
    content = _lying(content)
    place = content.index(b"PK\1\2")
    return content[: place + 8] + b"\1" + content[place + 9 :]


def _rubbish(content: bytes) -> bytes:
    content = _lying(content)
    place = content.index(b"a.bin") + 5
    return content[:place] + b"\xff" * 8 + content[place + 8 :]


@pytest.mark.parametrize("change", [_lying, _encrypted, _rubbish])
def test_a_package_that_cannot_be_unpacked_is_one_line(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], bytes],
) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", bytes(100_000))
    path = tmp_path / "odd.whl"
    path.write_bytes(change(package.getvalue()))
    monkeypatch.setattr(fetch, "_download_wheel", lambda wheel, scratch: path)
    with pytest.raises(UserError, match=r"odd==1\.0: it has no readable a\.bin"):
        pull(["it"], quiet, {"it": entry({"a.bin": [{"wheel": "odd==1.0", "member": "a.bin"}]})})
    assert not list(cache.rglob("*.bin*"))


def test_the_next_source_is_tried(registry: Path, site: str) -> None:
    sources = [
        {"wheel": "absent==1.0", "member": "f"},
        wheel("absent.bin"),
        {"url": f"{site}/absent.bin"},
        {"url": f"{site}/wrong.bin"},
        {"url": f"{site}/right.bin"},
    ]
    assert pull(["x"], quiet, {"x": entry({"f": sources})})[0].read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_leaves_nothing(site: str, cache: Path) -> None:
    with pytest.raises(UserError) as caught:
        pull(["x"], quiet, {"x": entry({"f.bin": [{"url": f"{site}/wrong.bin"}]})})
    message = str(caught.value)
    assert "f.bin" in message
    assert sha256(CONTENT) in message
    assert sha256(OTHER) in message
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_download_larger_than_expected_is_stopped(site: str) -> None:
    with pytest.raises(UserError, match="larger than the 12 bytes"):
        pull(["x"], quiet, {"x": entry({"f": [{"url": f"{site}/long.bin"}]})})


def test_without_a_source_the_error_says_where_to_put_the_file() -> None:
    with pytest.raises(UserError, match="FUSETRACK_WEIGHTS"):
        pull(["x"], quiet, {"x": entry({"f": []})})


def test_the_users_folder_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    monkeypatch.setenv("FUSETRACK_WEIGHTS", str(tmp_path))
    manifest = {"x": entry({"f": [{"url": f"{site}/absent.bin"}]})}
    with pytest.raises(UserError, match="404"):
        pull(["x"], quiet, manifest)
    (tmp_path / "f").write_bytes(CONTENT)
    assert weights_files("x", manifest) == [tmp_path / "f"]
    assert pull(["x"], quiet, manifest)[0].read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_refused_then_repaired(site: str) -> None:
    manifest = {"x": entry({"f": [{"url": f"{site}/right.bin"}]})}
    with pytest.raises(UserError, match="fusetrack weights pull x"):
        weights_files("x", manifest)
    path = pull(["x"], quiet, manifest)[0]
    path.write_bytes(OTHER)
    assert [state.state for state in verify(None, manifest)] == ["wrong hash"]
    with pytest.raises(UserError) as caught:
        weights_files("x", manifest)
    for part in (str(path), sha256(CONTENT), sha256(OTHER), "fusetrack weights pull x"):
        assert part in str(caught.value)
    lines: list[str] = []
    assert pull(["x"], lines.append, manifest)[0].read_bytes() == CONTENT
    assert "its hash is wrong" in lines[0]
    assert [state.state for state in verify(["x"], manifest)] == ["ok"]


def test_two_pulls_at_once(site: str) -> None:
    manifest = {"x": entry({"f": [{"url": f"{site}/right.bin"}]})}
    results: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(pull(["x"], quiet, manifest)[0].read_bytes())
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [CONTENT] * 4


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    (tmp_path / "blocked").write_text("a file, not a folder")
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path / "blocked"))
    with pytest.raises(UserError, match=r"cannot write .*blocked"):
        pull(["x"], quiet, {"x": entry({"f": [{"url": f"{site}/right.bin"}]})})


def test_without_a_home_directory_the_included_weights_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_home(path: Path) -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "expanduser", no_home)
    monkeypatch.setenv("FUSETRACK_CACHE", "")
    (model,) = weights_files("omni-scale-people")[:1]
    assert model.is_file()
    with pytest.raises(UserError, match="yolo26n is not installed"):
        weights_files("yolo26n")
    monkeypatch.setenv("FUSETRACK_CACHE", "~nobody/cache")
    with pytest.raises(UserError, match="no home directory is known"):
        weights_files("omni-scale-people")


def test_names_and_paths(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'yolo26n'"):
        weights_path("yolov26n", kind="detector")
    with pytest.raises(UserError, match="unknown detector 'omni-scale-open'"):
        weights_path("omni-scale-open", kind="detector")
    with pytest.raises(UserError, match=r"no such weights file: .*/gone\.pt"):
        weights_path(str(tmp_path / "gone.pt"))
    with pytest.raises(UserError, match="pull yolo26n`"):
        weights_path("yolo26n")
    with pytest.raises(UserError, match="pull yolo26n`"):
        weights_path("yolo26n.pt", kind="detector")
    with pytest.raises(UserError, match="unknown weights 'nothing'"):
        pull(["nothing"], quiet)
    own = tmp_path / "own.onnx"
    own.write_bytes(CONTENT)
    assert weights_path(str(own), kind="detector") == own
    assert entry_by_hash(own) is None


def test_a_file_is_known_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = {"x": entry({"f": []})}
    monkeypatch.setattr(store, "load_manifest", lambda: manifest)
    renamed = tmp_path / "renamed.bin"
    renamed.write_bytes(CONTENT)
    assert entry_by_hash(renamed) == ("x", manifest["x"])
    assert entry_by_hash(tmp_path) is None


def test_a_users_own_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    with pytest.raises(UserError, match=r"write mine\.onnx\.yaml"):
        network_beside(path)
    with pytest.raises(UserError, match="not a ReID network"):
        network_beside(tmp_path / "mine.pth")
    beside = tmp_path / "mine.onnx.yaml"
    beside.write_text("input: {height: 8, width: 4, colour: red}")
    with pytest.raises(UserError, match=r"input\.colour"):
        network_beside(path)
    beside.write_text(
        "input: {height: 8, width: 4, colour: bgr, scale: 1, mean: [0, 0, 0], std: [1, 1, 1]}"
    )
    network = network_beside(path)
    assert network.input.height == 8
