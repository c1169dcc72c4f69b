"""The page on a live site, followed with cameras of an RTSP server on this machine."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import fork_server
from doc_blocks import ROOT, Block, blocks_of, commands_in
from doc_shell import Shell
from pipeline.config.load import load_config
from rtsp_cameras import Cameras, clip_mount, h264_clip, missing_gstreamer

PAGE = ROOT / "docs/tutorials/live-site.md"
FPS = 4
_END_S = 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cameras]:
    if missing_gstreamer():
        pytest.skip(missing_gstreamer())
    clip = h264_clip(tmp_path_factory.mktemp("clip") / "clip", ((320, 240),))
    mount = {**clip_mount(clip), "fps": FPS}
    with Cameras({"/1": mount, "/2": mount}, password="secret") as served:
        yield served


class Terminals:
    """The terminals of a reader: one for lines that end, one more for each command that stays."""

    def __init__(self, shell: Shell, places: dict[str, str]) -> None:
        self.shell = shell
        self._places = places
        self._staying: list[subprocess.Popen[str]] = []

    def follow(self, block: Block) -> None:
        """Do what a block says, with the addresses of this machine in place of the page's."""
        text = block.text
        for told, here in self._places.items():
            text = text.replace(told, here)
        if block.language == "yaml":
            path = self.shell.folder / block.title
            path.write_text(text)
            load_config(path)
        elif block.mark == "stays":
            self._staying += [self._start(arguments) for arguments in commands_in(text)]
        elif block.language == "sh":
            self.shell.run(text)

    def _start(self, arguments: list[str]) -> subprocess.Popen[str]:
        place = ["--listen", self._places["127.0.0.1:8710"]] if arguments[0] == "serve" else []
        return fork_server.start(
            *arguments,
            *place,
            cwd=self.shell.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def stop(self) -> list[tuple[int, str]]:
        """Ctrl-C in each; exit codes and what was said."""
        ends = []
        for process in reversed(self._staying):
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=_END_S)
            ends.append((process.returncode, said))
        return ends


def free_place() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return "{}:{}".format(*found.getsockname())


def test_the_page_can_be_followed(cameras: Cameras, tmp_path: Path) -> None:
    login = "bob:secret@"
    terminals = Terminals(
        Shell(tmp_path, {}, {}),
        {
            "rtsp://viewer:secret@10.0.0.7/1": cameras.url("1", login),
            "rtsp://viewer:secret@10.0.0.8/1": cameras.url("2", login),
            "127.0.0.1:9100": free_place(),
            "127.0.0.1:8710": free_place(),
        },
    )
    try:
        for block in blocks_of(PAGE):
            terminals.follow(block)
    finally:
        ends = terminals.stop()
    assert [code for code, _ in ends] == [130, 130], ends
    assert "secret" not in "".join(said for _, said in ends)
    picture = (tmp_path / "gate.jpg").read_bytes()
    assert picture[:2] == b"\xff\xd8"
    assert (tmp_path / "today.csv").exists()
