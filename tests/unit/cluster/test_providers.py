"""What other tools' programs are asked to do, played by scripts."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.kind import Player, path_with, port_mapped
from support.kubectl import ROOT
from weather_cluster import images, providers
from weather_cluster.errors import ClusterError
from weather_cluster.progress import Report, silent
from weather_cluster.providers import PROVIDERS

TOOLS = {
    "kind": {
        "'get clusters'": "cat {there}",
        "'get kubeconfig'*": "echo text",
        "'create cluster'*": "echo weather > {there}",
    },
    "k3d": {
        "'cluster list'*": 'echo "[$(cat {there})]"',
        "'kubeconfig get'*": "echo text",
        "'cluster create'*": 'echo \'{{"name": "weather"}}\' > {there}',
    },
}


# A stand-in for another system: names that only Linux has are gone when the command is imported.
ELSEWHERE = """
import asyncio, os, socket, subprocess, sys, tempfile, urllib.request
import aiohttp, rich.progress, trustme
for module, names in ((os, "sched_getaffinity setns unshare"), (socket, "AF_NETLINK AF_PACKET")):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
sys.platform = "darwin"
from weather_cluster.__main__ import main
main(["demo", "--cluster=current"])
"""


def test_the_command_starts_where_linux_is_not() -> None:
    ended = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: a cluster that is there pulls its images"), ended.stderr


@pytest.fixture(params=TOOLS)
def tool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Player:
    """kind or k3d, with no cluster yet; images are saved as empty files."""
    player = Player(request.param, tmp_path / "bin")
    there = tmp_path / "there"
    there.touch()
    player.install({k: v.format(there=there) for k, v in TOOLS[request.param].items()})
    monkeypatch.setenv("PATH", path_with(player.directory))
    monkeypatch.setattr(images, "save", lambda image, archive: archive.touch())
    return player


def words(player: Player, verb: str) -> list[str]:
    return [call for call, _ in player.calls() if f" {verb} " in f" {call} "]


def test_a_cluster_is_created_once_and_deleted_by_name(tool: Player) -> None:
    provider = PROVIDERS[tool.program]("")
    provider.create()
    provider.create()
    assert len(words(tool, "create")) == 1
    assert "weather" in words(tool, "create")[0]
    assert provider.kubeconfig() == "text\n"
    provider.delete()
    assert "weather" in words(tool, "delete")[0]


def test_each_image_is_loaded_without_a_registry(tool: Player) -> None:
    assert PROVIDERS[tool.program]("").load(silent) == ""
    loads = words(tool, "load") or words(tool, "import")
    assert len(loads) == len(images.IMAGES)
    for image, load in zip(images.IMAGES, loads, strict=True):
        assert f"/{image.name.replace(':', '-')}.tar " in load
        assert load.endswith("=weather")


def test_the_page_is_at_the_port_that_is_mapped(tool: Player) -> None:
    provider = PROVIDERS[tool.program]("")
    provider.create()
    london = yaml.safe_load((ROOT / "examples/london.yaml").read_text())
    port = london["spec"]["service"]["nodePort"]
    assert provider.page("http://172.18.0.2:30080") == f"http://127.0.0.1:{port}"
    if tool.program == "kind":
        (configuration,) = (text for call, text in tool.calls() if "create" in call)
        assert port_mapped(configuration) == (port, port)
    else:
        assert f"--port=127.0.0.1:{port}:{port}@server:0" in words(tool, "create")[0]


@pytest.mark.parametrize("name", ["kind", "k3d"])
def test_a_tool_that_is_missing_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=f"{name} is not installed"):
        PROVIDERS[name]("").create()


def test_the_current_cluster_pulls_and_is_asked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterError, match=r"REGISTRY=registry\.example/team"):
        PROVIDERS["current"]("").create()
    kubectl = Player("kubectl", tmp_path)
    kubectl.install({})
    monkeypatch.setenv("PATH", path_with(tmp_path))
    pushed: list[str] = []

    def push_all(registry: str, report: Report) -> Iterator[str]:
        pushed.append(registry)
        yield "pushed"

    monkeypatch.setattr(images, "push_all", push_all)
    provider = PROVIDERS["current"]("registry.example/team/")
    provider.create()
    assert any("--raw=/readyz" in call for call, _ in kubectl.calls())
    assert provider.load(silent) == "registry.example/team"
    assert pushed == ["registry.example/team/"]
    assert provider.page("http://10.0.0.1:30080") == "http://10.0.0.1:30080"
    assert provider.kubeconfig() == ""


@pytest.mark.parametrize(("prefix", "asks"), [("", False), ("registry.example/team", True)])
def test_images_that_were_loaded_are_looked_up_nowhere(
    prefix: str, asks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helm = Player("helm", tmp_path)
    helm.install({})
    monkeypatch.setenv("PATH", path_with(tmp_path))
    providers.install(prefix)
    (call,) = words(helm, "upgrade")
    assert f"--set=registry={prefix}" in call
    assert ("--set=refreshSeconds=0" not in call) == asks
