"""What goes wrong is one sentence and exit code 1; a wrong call is exit code 2."""

from pathlib import Path

import pytest
from support.kubectl import Shell
from support.plugin import weather_error

COMMANDS = [
    ["list"],
    ["status", "london"],
    ["set", "london", "--colour=red"],
    ["restart", "london"],
    ["approve", "london"],
    ["abort", "london"],
    ["promote", "london"],
    ["tree"],
    ["tree", "london", "-w"],
    ["explain", "london"],
    ["history", "london"],
    ["rollback", "london"],
    ["retry", "london"],
    ["pause", "london"],
    ["resume", "london"],
    ["open", "london"],
    ["dashboard"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_cluster(shell: Shell, tmp_path: Path, command: list[str]) -> None:
    lost = Shell(kubeconfig=tmp_path / "none", bin=shell.bin, host=shell.host)
    assert weather_error(lost, *command).startswith("Error: the cluster does not answer: dial tcp")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_rights(nobody: Shell, command: list[str]) -> None:
    message = weather_error(nobody, *command)
    assert message.startswith("Error: you lack a right: weatherapps")
    assert "serviceaccount" in message


@pytest.mark.parametrize("command", [each for each in COMMANDS if "london" in each], ids=" ".join)
def test_an_unknown_app(shell: Shell, namespace: str, command: list[str]) -> None:
    message = weather_error(shell, *command, "-n", namespace)
    assert message.startswith(f"Error: there is no WeatherApp london in namespace {namespace}")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_context(shell: Shell, command: list[str]) -> None:
    assert (
        weather_error(shell, *command, "--context=mars") == 'Error: context "mars" does not exist'
    )


def test_no_kubectl(shell: Shell, tmp_path: Path) -> None:
    run = shell.run("env", f"PATH={tmp_path}", *_plugin(shell), "tree")
    assert run.returncode == 1
    assert run.stderr.startswith("Error: kubectl is not on the PATH")


def _plugin(shell: Shell) -> list[str]:
    return [shell.run("which", "kubectl-weather").stdout.strip()]


@pytest.mark.parametrize(
    "words",
    [
        ["tree", "london", "-A"],
        ["tree", "-A", "-n", "x"],
        ["climb"],
        ["set", "london"],
        ["status", "london", "--timeout=soon"],
        ["plan"],
    ],
)
def test_a_wrong_call(shell: Shell, words: list[str]) -> None:
    run = shell.run("kubectl", "weather", *words)
    assert run.returncode == 2
    assert run.stderr.startswith("Usage: kubectl")


def test_a_closed_output_is_no_error(shell: Shell, namespace: str) -> None:
    run = shell.run("sh", "-c", 'exec "$@" >&-', "sh", *_plugin(shell), "list", "-n", namespace)
    assert (run.returncode, run.stderr) == (
        0,
        f"There is no WeatherApp in namespace {namespace}.\n",
    )
