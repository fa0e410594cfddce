import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from support.kubectl import ROOT
from weather_cluster.__main__ import _program, main


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of clusters, below one whose name a shell would take apart."""
    home = tmp_path / "it's a $HOME `here`"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return home / "weather-operator/clusters"


@pytest.fixture
def cluster(state: Path) -> Path:
    directory = state / "weather"
    directory.mkdir(parents=True)
    values = {
        "name": "weather",
        "directory": str(directory),
        "kubeconfig": str(directory / "kubeconfig"),
        "bin": str(directory / "bin"),
        "host": "10.231.1.1",
        "registry": "10.231.1.1:5000",
        "audit_log": str(directory / "audit.log"),
        "number": 1,
        "nodes": 1,
    }
    (directory / "cluster.json").write_text(json.dumps(values))
    return directory


def weather_cluster(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_env_is_three_lines_that_any_shell_understands(cluster: Path) -> None:
    printed = weather_cluster("env").output
    assert [line.split("=")[0] for line in printed.splitlines()] == [
        "export KUBECONFIG",
        "export PATH",
        "export WEATHER_CLUSTER_HOST",
    ]
    show = 'printf "%s\\n" "$KUBECONFIG" "${PATH%%:*}" "$WEATHER_CLUSTER_HOST"'
    shell = subprocess.run(["sh", "-c", printed + show], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == [
        str(cluster / "kubeconfig"),
        str(cluster / "bin"),
        "10.231.1.1",
    ]


@pytest.mark.parametrize(
    "command", [["env"], ["status"], ["down"], ["logs", "etcd"], ["load", "a"]]
)
def test_an_unknown_cluster_is_one_sentence(state: Path, command: list[str]) -> None:
    result = weather_cluster(*command)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: there is no cluster 'weather': start it with weather-cluster up --name weather\n"
    )
    assert result.stdout == ""


def test_a_cluster_that_is_half_up_is_not_given_out(state: Path) -> None:
    (state / "weather").mkdir(parents=True)
    result = weather_cluster("env")
    assert result.exit_code == 1
    assert "half up" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["London", "a b", "../x", "-a", "a" * 41, ""])
def test_a_name_that_cannot_be_is_refused(state: Path, name: str) -> None:
    result = weather_cluster("up", "--name", name)
    assert result.exit_code == 1
    assert "small letters, digits and hyphens" in result.stderr
    assert not state.exists()


def test_an_unknown_component_is_answered_with_the_known_ones(cluster: Path) -> None:
    (cluster / "log").mkdir()
    (cluster / "log/etcd.log").write_text("hello\n")
    assert weather_cluster("logs", "etcd").output == "hello\n"
    result = weather_cluster("logs", "etc")
    assert result.exit_code == 1
    assert result.stderr == "Error: cluster weather has no component 'etc', it has etcd\n"


def test_nodes_need_root(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = weather_cluster("up")
    assert result.exit_code == 1
    assert "run this as root" in result.stderr
    assert not state.exists()


@pytest.mark.parametrize(
    ("called", "printed"),
    [
        (".venv/bin/weather-cluster", ".venv/bin/weather-cluster"),
        ("a b/weather-cluster", "'a b/weather-cluster'"),
        ("/elsewhere/weather-cluster", "/elsewhere/weather-cluster"),
        ("on-path/weather-cluster", "weather-cluster"),
    ],
)
def test_the_command_that_up_prints_can_be_typed_where_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, printed: str
) -> None:
    program = tmp_path / "on-path/weather-cluster"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / called)])
    assert _program() == printed


def test_only_linux_will_do(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    result = weather_cluster("up", "--control-plane-only")
    assert result.exit_code == 1
    assert result.stderr == "Error: a cluster runs on Linux only, and this machine runs darwin\n"


@pytest.mark.parametrize(("free", "variable"), [(0.5e9, "XDG_STATE_HOME"), (3e9, "XDG_CACHE_HOME")])
def test_a_full_disk_is_said_before_anything_starts(
    state: Path, monkeypatch: pytest.MonkeyPatch, free: float, variable: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    result = weather_cluster("up", "--control-plane-only")
    assert result.exit_code == 1
    assert f"{free / 1e9:.1f} GB free" in result.stderr
    assert variable in result.stderr
    assert not (state / "weather").exists()


@pytest.mark.parametrize("text", ['{"na', "[]", "{}", '{"name": "weather", "new": 1}'])
def test_a_cluster_of_another_version_is_to_be_taken_down(cluster: Path, text: str) -> None:
    (cluster / "cluster.json").write_text(text)
    result = weather_cluster("env")
    assert result.exit_code == 1
    assert "'weather' is of another version of this program: take it down" in result.stderr


def test_what_the_machine_refuses_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    for command in (["env"], ["up", "--control-plane-only"]):
        result = weather_cluster(*command)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"Error: {tmp_path}/file/")
        assert line.endswith(": Not a directory")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(ROOT)
    result = weather_cluster("demo")
    assert result.stderr == "Error: kubectl: No such file or directory\n"


@pytest.mark.parametrize("registry", ["", "https://registry.example/team", "registry.example/A b"])
def test_what_is_no_registry_is_refused(registry: str) -> None:
    result = weather_cluster("push", registry)
    assert result.exit_code == 1
    assert f"{registry!r} is no registry: write for example registry.example/team" in result.stderr


def test_an_image_for_pods_that_do_not_run_is_refused(cluster: Path) -> None:
    file = cluster / "cluster.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"nodes": 0}))
    result = weather_cluster("load", "weather:1.0.0")
    assert result.exit_code == 1
    assert "no real nodes" in result.stderr


@pytest.mark.usefixtures("state")
def test_a_gateway_to_pods_that_do_not_run_is_refused() -> None:
    result = weather_cluster("up", "--control-plane-only", "--gateway")
    assert result.exit_code == 1
    assert "leave --control-plane-only out" in result.stderr
