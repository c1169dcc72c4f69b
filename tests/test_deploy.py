"""Dockerfile, compose.yaml, systemd units and Helm chart, as far as they can be checked here.

No container engine and no cluster: what is checked is that they are well formed by the tools of
their makers, hold no secret, and call fusetrack with options that it has.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pipeline.cli.main import app
from pipeline.config.load import load_config

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "scripts" / "deploy"
CHART = DEPLOY / "helm" / "fusetrack"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
KUBERNETES = "1.31"
SECRETS = {"REDIS_PASSWORD": "first-word", "FUSETRACK_API_TOKEN": "second-word"}
VALUES = {
    "redis": {"existingSecret": "redis-address"},
    "serve": {"existingSecret": "api-token"},
    "networkPolicy": {"enabled": True},
    "nodes": [
        {
            "name": "hall",
            "cameras": {"gate": {"source": "rtsp://bob:word@10.0.0.7/1"}},
            "resources": {"limits": {"nvidia.com/gpu": 1}},
        },
        {"name": "till", "cameras": {"till": {"source": "rtsp://10.0.0.8/1"}}},
    ],
}


def interpolated(text: str, environment: dict[str, str]) -> str:
    """Compose's ``${NAME:-default}`` and ``${NAME:?message}`` replaced; KeyError without one."""

    def value(found: re.Match[str]) -> str:
        name, kind, more = found.groups()
        if environment.get(name):
            return environment[name]
        if kind == ":-":
            return more
        raise KeyError(name)

    return re.sub(r"(?<!\$)\$\{(\w+)(:-|:\?)([^}]*)\}", value, text)


def compose(environment: dict[str, str] = SECRETS) -> dict[str, Any]:
    """compose.yaml as an engine sees it."""
    text = interpolated((ROOT / "compose.yaml").read_text(), environment)
    return dict(yaml.safe_load(text))


def rendered(values: dict[str, Any] = VALUES) -> list[dict[str, Any]]:
    """What the chart makes of ``values``, by Helm itself."""
    helm = pytest.importorskip("helm_python", reason="Helm's library is for Linux on x86-64")
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        texts = chart.render(values, name="shop", namespace="default")
    return [found for text in texts.values() for found in yaml.safe_load_all(text) if found]


def pods(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [m["spec"]["template"]["spec"] for m in manifests if m["kind"] == "Deployment"]


def unit_lines(unit: Path, key: str) -> list[str]:
    lines = unit.read_text().splitlines()
    return [line.removeprefix(f"{key}=") for line in lines if line.startswith(f"{key}=")]


def check_command(arguments: list[str]) -> None:
    """The real command line takes these arguments; raises its usage error when not."""
    commands: Any = typer.main.get_command(app)
    while arguments[0] in getattr(commands, "commands", {}):
        commands, name, arguments = commands.commands[arguments[0]], arguments[0], arguments[1:]
        if not hasattr(commands, "commands"):
            commands.make_context(name, list(arguments))
            return
    raise AssertionError(f"no command {arguments[0]}")


def test_a_command_that_does_not_exist_is_found() -> None:
    with pytest.raises(AssertionError, match="no command watch"):
        check_command(["watch"])
    with pytest.raises(Exception, match="No such option"):
        check_command(["node", "--config", "site.yaml", "--colour", "red"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_call_fusetrack_as_it_is(unit: Path) -> None:
    (line,) = unit_lines(unit, "ExecStart")
    program, *arguments = shlex.split(line.replace("%i", "hall"))
    assert program == "/opt/fusetrack/bin/fusetrack"
    check_command(arguments)


@pytest.mark.parametrize("name", ["node", "associate", "record", "serve"])
def test_compose_calls_fusetrack_as_it_is(name: str) -> None:
    check_command(compose()["services"][name]["command"])


@pytest.mark.parametrize("part", ["node", "associate", "record", "serve"])
def test_the_chart_calls_fusetrack_as_it_is(part: str) -> None:
    containers = [c for pod in pods(rendered()) for c in pod["containers"] if c["name"] == part]
    assert containers
    for container in containers:
        check_command(container["args"])


def test_the_dockerfile_and_the_init_container_pull_weights_that_exist() -> None:
    lines = re.findall(r"bin/fusetrack (.+)", (ROOT / "Dockerfile").read_text())
    assert lines
    for line in lines:
        check_command(shlex.split(line))
    inits = [c for pod in pods(rendered()) for c in pod.get("initContainers", [])]
    assert [c["args"] for c in inits] == [["weights", "pull", "yolo26n"]] * 2
    check_command(inits[0]["args"])


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_not_root_and_holds_what_is_copied() -> None:
    text = (ROOT / "Dockerfile").read_text()
    last = text[text.rindex("FROM ") :]
    assert re.findall(r"^USER (.+)", last, re.M) == ["10001"]
    assert "HEALTHCHECK" in last
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [line.split()[:-1] for line in re.findall(r"^COPY (?!--from)(.+)", text, re.M)]
    assert {name for names in copied for name in names} == allowed
    assert all((ROOT / name).exists() for name in allowed)
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = built["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *built["project"]["license-files"]} <= allowed


def test_compose_is_one_by_the_compose_specification() -> None:
    spec = pytest.importorskip("compose_spec", reason="compose-spec is for Linux on x86-64")
    services = compose()["services"]
    # It does not know YAML's merge keys: they are resolved before.
    assert set(spec.PyCompose.from_json(json.dumps(compose())).services) == set(services)
    wrong = {"services": {**services, "node": {**services["node"], "commands": []}}}
    with pytest.raises(ValueError, match="commands"):
        spec.PyCompose.from_json(json.dumps(wrong))


def test_compose_needs_its_secrets_and_holds_none() -> None:
    for name in SECRETS:
        with pytest.raises(KeyError, match=name):
            compose({k: v for k, v in SECRETS.items() if k != name})
    example = (DEPLOY / "env.example").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", example, re.M))
    assert SECRETS.keys() <= settings.keys()
    assert not any(settings.values())


def test_compose_keeps_messages_and_a_second_associator() -> None:
    services = compose()["services"]
    command = " ".join(services["redis"]["command"])
    for needed in ("--appendonly yes", "--appendfsync always", "noeviction", "--requirepass"):
        assert needed in command
    assert services["associate"]["deploy"]["replicas"] == 2
    for name in ("node", "associate", "record", "serve"):
        assert (
            services[name]["environment"]["FUSETRACK_REDIS"] == "redis://:first-word@redis:6379/0"
        )
        assert services[name]["read_only"]
    # Only this computer reaches what is published.
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: Debian's package systemd")
    folder = tmp_path / "etc" / "systemd" / "system"
    folder.mkdir(parents=True)
    for program in ("opt/fusetrack/bin/fusetrack", "bin/kill"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    for unit in UNITS:
        shutil.copy(unit, folder)
    names = [unit.name.replace("@", "@hall") for unit in UNITS]
    verify = ["systemd-analyze", "verify", f"--root={tmp_path}", "--recursive-errors=no"]
    done = subprocess.run([*verify, *names], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    broken = folder / "fusetrack-serve.service"
    broken.write_text(broken.read_text().replace("ProtectClock=", "ProtectClocks="))
    done = subprocess.run([*verify, broken.name], capture_output=True, text=True)
    assert "ProtectClocks" in done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_closed(unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: Debian's package systemd")
    security = ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20"]
    done = subprocess.run([*security, unit], capture_output=True, text=True, env=no_colours())
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def no_colours() -> dict[str, str]:
    return {**os.environ, "SYSTEMD_COLORS": "0"}


def test_only_who_reads_its_file_again_is_told_to() -> None:
    # SIGHUP would end the API.
    (still,) = [unit for unit in UNITS if not unit_lines(unit, "ExecReload")]
    assert still.name == "fusetrack-serve.service"


def test_units_start_again_after_a_fault_only() -> None:
    for unit in UNITS:
        assert unit_lines(unit, "Restart") == ["on-failure"]
        assert "143" in unit_lines(unit, "SuccessExitStatus")[0].split()


def test_helm_finds_nothing_to_complain_of() -> None:
    helm = pytest.importorskip("helm_python", reason="Helm's library is for Linux on x86-64")
    for values in (None, VALUES):
        report = helm.lint(CHART, values, strict=True)
        assert report["errors"] == []
        assert [m["error"] for m in report["messages"]] == ["icon is recommended"]


def test_the_chart_makes_what_kubernetes_takes() -> None:
    kubernetes = pytest.importorskip("kubernetes_validate")
    manifests = rendered()
    kinds = [manifest["kind"] for manifest in manifests]
    assert kinds.count("Deployment") == 5
    assert {"Secret", "Service", "PersistentVolumeClaim", "NetworkPolicy"} <= set(kinds)
    for manifest in manifests:
        kubernetes.validate(manifest, KUBERNETES, strict=True)
    pod = manifests[kinds.index("Deployment")]
    pod["spec"]["template"]["spec"]["containres"] = []
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(pod, KUBERNETES, strict=True)


def test_each_node_of_the_chart_follows_its_cameras(tmp_path: Path) -> None:
    (secret,) = [m for m in rendered() if m["kind"] == "Secret"]
    cameras = {}
    for name, text in secret["stringData"].items():
        path = tmp_path / name
        path.write_text(text)
        cameras[name] = set(load_config(path).cameras)
    assert cameras == {
        "site.yaml": {"gate", "till"},
        "node-hall.yaml": {"gate"},
        "node-till.yaml": {"till"},
    }


def test_the_chart_keeps_passwords_in_secrets() -> None:
    others = [m for m in rendered() if m["kind"] != "Secret"]
    assert "bob:word" not in yaml.safe_dump(others)
    (address,) = {
        yaml.safe_dump(env["valueFrom"])
        for pod in pods(others)
        for container in pod["containers"]
        for env in container["env"]
        if env["name"] == "FUSETRACK_REDIS"
    }
    assert yaml.safe_load(address) == {"secretKeyRef": {"name": "redis-address", "key": "url"}}


def test_the_chart_watches_and_confines_every_container() -> None:
    found = pods(rendered())
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
            assert container["securityContext"]["readOnlyRootFilesystem"]
    limits = [c["resources"].get("limits") for pod in found for c in pod["containers"]]
    assert limits.count({"nvidia.com/gpu": 1}) == 1


def test_the_chart_is_closed_by_default() -> None:
    values = {k: v for k, v in VALUES.items() if k != "networkPolicy"}
    kinds = [m["kind"] for m in rendered(values)]
    assert "NetworkPolicy" not in kinds
    assert "Ingress" not in kinds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"redis": {}}, "redis.existingSecret"),
        ({"serve": {}}, "serve.existingSecret"),
        ({"nodes": VALUES["nodes"] + VALUES["nodes"][:1]}, "camera gate is in two nodes"),
        ({"nodes": [{"name": "Hall!", "cameras": {"a": {}}}]}, "does not match pattern"),
        ({"site": {"site": "shop", "cameras": {}}}, "/site"),
        ({"reids": 1}, "reids"),
    ],
)
def test_the_chart_says_what_is_wrong(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match=said):
        rendered({**VALUES, **change})
