"""No password of a camera or of Redis leaves a process in any output."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

import fork_server
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.errors import UserError
from pipeline.weights import weights_path
from web_camera import web_camera

ENDS_WITHIN_S = 600.0
#: Some as they stand in an address. `s3cr3t` is in each of them and in nothing else.
CAMERA, WRONG, OFF = "s3cr3t-camera", "s3cr3t%40wrong", "s3cr3t-off"
TOKEN, REDIS = "s3cr3t-token", "s3cr3t%2Fredis"
TRACE = b"s3cr3t"


@dataclass
class Site:
    """A site whose cameras and Redis all have passwords."""

    config: Path
    out: Path
    address: str
    redis: Path
    found: dict[str, bytes] = field(default_factory=dict)

    def command(self, part: str, *arguments: object) -> list[str]:
        """The arguments of ``fusetrack``."""
        options = ["--config", self.config, "--metrics", self.address, "--log-level", "debug"]
        return [part, *map(str, (*options, *arguments))]

    def get(self, path: str) -> str:
        """The text of a page, also of an error page; empty while the server does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=600) as answer:
                text = str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
        except OSError:
            return ""
        self.found[path] = self.found.get(path, b"") + text.encode()
        return text

    def keep(self, folder: Path) -> None:
        """Collect every byte of a folder, including names."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.found[str(path)] = str(path).encode() + path.read_bytes()

    def leaks(self) -> list[str]:
        return [place for place, said in self.found.items() if TRACE in said]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with (
        web_camera("bob", CAMERA) as port,
        EmbeddedServer(tmp_path / "redis") as server,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", unquote(REDIS))
        cameras = {
            "web": f"http://bob:{CAMERA}@127.0.0.1:{port}/?token={TOKEN}",
            "denied": f"http://bob:{WRONG}@127.0.0.1:{port}/",
            "nowhere": f"rtsp://bob:{WRONG}@no-such-camera.invalid/1",
            "off": f"rtsp://bob:{OFF}@127.0.0.1:1/live?token={TOKEN}",
        }
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        values = {
            "site": "shop",
            "redis": server.url.replace("unix://", f"unix://:{REDIS}@"),
            "cameras": {name: {"source": source} for name, source in cameras.items()},
            "recording": {"segment_s": 0.2},
        }
        config = tmp_path / "site.yaml"
        config.write_text(json.dumps(values))
        yield Site(config, tmp_path / "out", address, server.folder)


def number(text: str, name: str, **labels: str) -> float:
    """The one sample of /metrics with these labels; 0 when there is none yet."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def watch(site: Site, process: subprocess.Popen[bytes]) -> tuple[str, dict[str, str]]:
    """/metrics once the working camera has frames, and the cameras' states."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    text = ""
    while process.poll() is None and time.monotonic() < deadline:
        text = site.get("/metrics")
        site.get("/readyz")
        if number(text, "fusetrack_frames_total", camera="web") > 10:
            break
        time.sleep(0.2)
    states = {
        sample.labels["camera"]: sample.labels["state"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "fusetrack_camera_state" and sample.value
    }
    return text, states


@pytest.mark.slow
def test_a_run_leaks_no_password(site: Site) -> None:
    try:
        weights_path("yolo26n")
    except UserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    command = site.command("run", "--out", site.out, "--log-format", "json")
    said_to = {name: site.config.with_name(name) for name in ("stdout", "stderr")}
    with said_to["stdout"].open("wb") as out, said_to["stderr"].open("wb") as err:
        process = fork_server.start(*command, stdout=out, stderr=err)
        try:
            text, states = watch(site, process)
            ready = site.get("/readyz")
            site.get("/healthz")
            site.keep(site.redis)
            process.send_signal(signal.SIGTERM)
            process.wait(ENDS_WITHIN_S)
        finally:
            process.kill()
            process.wait()
    site.found |= {name: path.read_bytes() for name, path in said_to.items()}
    said = site.found["stderr"].decode()
    assert process.returncode == 128 + signal.SIGTERM, said
    assert number(text, "fusetrack_frames_total", camera="web") > 10
    assert states == {"web": "live", "denied": "lost", "nowhere": "lost", "off": "lost"}
    # A slow machine may follow less than each frame.
    assert ready.startswith(("ok\n", "overloaded: "))
    lines = [json.loads(line) for line in said.splitlines()]
    about = {line["camera"]: line["message"] for line in lines if "camera" in line}
    assert "wrong user or password" in about["denied"]
    assert "unknown host" in about["nowhere"]
    assert "refused" in about["off"]
    assert {"debug", "info", "warning"} <= {line["level"] for line in lines}
    assert all((line["part"], line["site"]) == ("run", "shop") for line in lines)
    site.keep(site.out)
    site.keep(site.redis)
    assert any("appendonly" in place for place in site.found)
    assert any("cameras.json" in place for place in site.found)
    assert site.leaks() == []


def test_the_search_would_find_a_password(site: Site) -> None:
    site.out.mkdir()
    (site.out / "config.yaml").write_bytes(b"source: rtsp://bob:" + WRONG.encode() + b"@h/1")
    site.keep(site.out)
    assert site.leaks() == [str(site.out / "config.yaml")]


def test_errors_contain_no_password(site: Site) -> None:
    values = json.loads(site.config.read_text())
    for name in ("web", "off"):
        del values["cameras"][name]
    values["cameras"]["slip"] = {"source": f"rtsp:/bob:{OFF}@127.0.0.1/live"}
    site.config.write_text(json.dumps(values))
    wrong = f"redis://:{OFF}@127.0.0.1:1/0"
    for name, style, arguments in (
        ("slip", "json", ["node"]),
        ("redis", "text", ["associate", "--redis", values["redis"].replace(REDIS, WRONG)]),
        ("address", "json", ["record", "--out", site.out, "--redis", wrong.replace("-", "/")]),
        ("option", "text", ["associate", "--redis", wrong, "--metrics", f"bob:{OFF}@127.0.0.1"]),
    ):
        command = [*site.command(*arguments), "--log-format", style]
        ended = fork_server.run(*command, timeout=ENDS_WITHIN_S)
        assert ended.returncode == 2, ended.stderr
        last = ended.stderr.decode().splitlines()[-1]
        assert last.startswith("fusetrack: " if style == "text" else '{"time": ')
        site.found[name] = ended.stdout + ended.stderr
    site.keep(site.out)
    assert b"no such file: rtsp:/***@127.0.0.1/live" in site.found["slip"]
    assert b"cannot use Redis" in site.found["redis"]
    assert b"cannot read the address of Redis" in site.found["address"]
    assert site.leaks() == []
