import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kubectl_weather.cli import COMMANDS, main
from kubectl_weather.durations import short
from kubectl_weather.errors import ForbiddenError, NotFoundError, error_of
from kubectl_weather.kubectl import Target, error_message
from kubectl_weather.printing import Span, print_table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7200, "2h"),
        (200000, "2d"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert short(seconds) == text


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "kubectl get wa"),
        ({"namespace": "a"}, "kubectl get wa --namespace=b"),
        ({"all_namespaces": True}, "kubectl get wa --namespace=b"),
        ({"context": "my ctx"}, "kubectl get wa '--context=my ctx'"),
    ],
)
def test_a_command_reaches_the_same_cluster(given: dict[str, str], command: str) -> None:
    assert Target(**given).with_flags("kubectl get wa", "b") == command  # type: ignore[arg-type] # a table


@pytest.mark.parametrize("part", ["x --all-namespaces", "weatherreleases", "crd x"])
def test_a_command_for_what_is_in_no_namespace_names_none(part: str) -> None:
    command = f"kubectl get {part}"
    assert Target(namespace="a").with_flags(command, "a") == command


def response(**given: object) -> bytes:
    return json.dumps({"kind": "Status", **given}).encode()


def test_what_the_cluster_refuses_is_one_sentence() -> None:
    assert (
        str(error_of(502, b"dial tcp: refused\n"))
        == "the cluster does not answer: dial tcp: refused"
    )
    assert "log in again" in str(error_of(401, response(message="Unauthorized")))
    assert isinstance(error_of(403, response(message="no")), ForbiddenError)
    assert isinstance(error_of(404, response(details={"name": "london"})), NotFoundError)
    assert "install the operator first" in str(error_of(404, b"404 page not found"))
    assert "install the operator first" in str(error_of(404, response(details={})))


def test_what_kubectl_writes_to_stderr_is_one_line() -> None:
    assert error_message("error: a\n\nerror: b\n") == "a; b"
    assert error_message("Error from server (BadRequest): a\n") == "a"
    assert (
        error_message("The app is invalid: \n* a: b\n* c: d\n") == "The app is invalid: a: b; c: d"
    )
    assert error_message("") == "kubectl failed"


def test_a_table_in_a_pipe_has_no_spaces_at_the_end_of_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("A", "WHY"), [(Span("1"), Span("a long reason")), (Span("2"), Span(""))])
    assert capsys.readouterr().out == "A   WHY\n1   a long reason\n2\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"{name} [OPTIONS]" in result.output


def test_an_unknown_command_is_a_wrong_call() -> None:
    assert CliRunner().invoke(main, ["climb"]).exit_code == 2


def test_an_old_python_is_told_in_a_sentence() -> None:
    old = "import sys; sys.version_info = (3, 9, 0); import kubectl_weather"
    ended = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("kubectl weather needs Python 3.11 or newer")


def kubectl_that(folder: Path, script: str, mode: int = 0o755) -> None:
    """Put a program in the place of kubectl."""
    path = folder / "kubectl"
    path.write_text(script)
    path.chmod(mode)


@pytest.fixture
def only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("script", "mode"), [("#!/bin/sh\n", 0o644), ("no program", 0o755)])
def test_a_kubectl_that_cannot_be_run_is_one_sentence(
    only_here: Path, script: str, mode: int
) -> None:
    kubectl_that(only_here, script, mode)
    result = CliRunner().invoke(main, ["list"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: kubectl cannot be run: ")


@pytest.mark.parametrize("command", ["list", "plan"])
def test_a_kubeconfig_without_a_way_to_log_in_is_one_sentence(
    only_here: Path, command: str
) -> None:
    asks = "#!/bin/sh\nprintf 'Please enter Username: '\necho 'error: EOF' >&2\nexit 1\n"
    kubectl_that(only_here, asks)
    file = ["--filename=-"] if command == "plan" else []
    result = CliRunner().invoke(main, [command, "--namespace=default", *file], input="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: kubectl asks for a user name and a password")


def test_a_plan_is_of_every_file_that_is_given_whatever_is_in_it(only_here: Path) -> None:
    """kubectl gets the same bytes, and says itself what is wrong with them."""
    reads = '#!/bin/sh\nfor each; do case $each in --filename=*) read -r line < "${each#*=}"; '
    kubectl_that(only_here, reads + 'printf "%s;" "$line" >&2 ;; esac; done\nexit 1\n')
    (only_here / "a.yaml").write_text("first\n")
    given = ["plan", "--namespace=default", f"--filename={only_here}/a.yaml", "--filename=-"]
    result = CliRunner().invoke(main, given, input=b"\xff second\n")
    assert result.exit_code == 1
    assert result.stderr == "Error: first;\ufffd second;\n"
