"""The runbook walked from nothing to a site and back, on this machine: `make demo-aws`.

Terraform is Terraform, against the stand-ins for AWS; "EKS" is a cluster of this project's, "ECR"
its registry, and the load balancers are played in the nodes' network. The commands are those of
terraform/RUNBOOK.md, run as they stand there; programs on the PATH lead them here.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from support.behind_load_balancer import Surroundings, inject_gates, load_balancers, pods
from support.deadlines import eventually
from support.kubectl import Shell
from support.operator import Site
from terraform.account import Account, account
from terraform.programs import Programs, fail, installed
from terraform.runbook import run, steps
from terraform.runner import REPOSITORY, Terraform, copied
from weather_cluster import clusters
from weather_cluster.clusters import Cluster
from weather_cluster.errors import ClusterError

NAME = "aws"
VERSIONS = {"green": "2.0.0", "red": "3.0.0", "yellow": "1.0.0"}
CHANGES = ("red", "yellow", "green")


class RealPrograms(Programs):
    """The runbook's programs: real ones, led to this machine, where there are any."""

    def __init__(
        self, amazon: Account, cluster: Cluster, directory: Path, stack: ExitStack
    ) -> None:
        super().__init__(amazon)
        self._cluster, self._shell = cluster, Shell.of(cluster)
        self._directory, self._stack = directory, stack
        self._controller: ExitStack | None = None
        self.surroundings: Surroundings | None = None

    def terraform(self, arguments: list[str], folder: Path, _: str) -> str:
        """Run Terraform against the account, without its questions."""
        if arguments[0].startswith("-chdir="):
            folder /= arguments[0].removeprefix("-chdir=")
            arguments = arguments[1:]
        command, *options = arguments
        where = "bootstrap" if folder.name == "bootstrap" else "root"
        terraform = Terraform(folder, self.amazon.environment())
        if command == "init":
            started = terraform.init(".", *options)
            return started.stdout if started.returncode == 0 else fail(started.stderr)
        asks = ["-auto-approve", "-input=false"] if command in ("apply", "destroy") else []
        done = terraform.run(".", command, *asks, "-no-color", *options)
        if done.returncode:
            fail(done.stderr)
        if command in ("apply", "destroy"):
            click.echo(_summary(done.stdout))
            if where == "bootstrap" and command == "apply":
                # It wants TLS, which moto does not speak.
                bucket = self.amazon.client("s3").list_buckets()["Buckets"][0]["Name"]
                self.amazon.client("s3").delete_bucket_policy(Bucket=bucket)
        self.done |= {f"{where} applied": True}
        return done.stdout

    def kubectl(self, arguments: list[str], folder: Path, given: str) -> str:
        """Ask the cluster; where it answers is the kubeconfig's own business."""
        if arguments[0] == "config":
            return super().kubectl(arguments, folder, given)
        self._reach()
        return self._real("kubectl", *arguments, text=given or None)

    def helm(self, arguments: list[str], folder: Path, given: str) -> str:
        """Install the operator's chart; the controller of load balancers is played."""
        if "aws-load-balancer-controller" not in arguments:
            return self._real("helm", *arguments)
        if arguments[0] == "upgrade":
            super().helm(arguments, folder, given)
            self._controller = self._stack.enter_context(ExitStack())
            self._controller.enter_context(inject_gates(self._shell))
            self.surroundings = self._controller.enter_context(
                load_balancers(
                    self._shell,
                    self._cluster,
                    self._directory,
                    "weather",
                    first_number=201,
                    first_check=5,
                    lag=2,
                )
            )
        elif self._controller:
            self._controller.close()
        return ""

    def make(self, arguments: list[str], folder: Path, given: str) -> str:
        """Run the Makefile's own target, with the cluster's registry in ECR's place."""
        target, *_ = arguments
        registry = [f"REGISTRY={self._cluster.registry}"] if target != "images" else []
        flags = []
        if target == "install":
            values = f"--values {folder / 'build/operator.yaml'}"
            insecure = f"--set insecureRegistries={{{self._cluster.registry}}}"
            flags = [f"HELM_FLAGS={values} {insecure}"]
        if target == "images":
            (folder / "build").mkdir(exist_ok=True)
        return self._real("make", target, *registry, *flags)

    def _answered(self, service: str, region: str, operation: str, options: Any) -> Any:
        if service == "elbv2":
            there = self._shell.get("ingresses", "--all-namespaces")["items"]
            self.done["balancer"] = bool(there)
            self.outputs["vpc_id"] = self.amazon.client("ec2").describe_vpcs(
                Filters=[{"Name": "is-default", "Values": ["false"]}]
            )["Vpcs"][0]["VpcId"]
        return super()._answered(service, region, operation, options)

    def _real(self, *words: str, text: str | None = None) -> str:
        done = self._shell.run(*words, text=text)
        if done.returncode:
            fail(done.stderr)
        return done.stdout


def _summary(said: str) -> str:
    found = re.findall(r"^(?:Apply|Destroy) complete!.*$", said, re.M)
    return "\n".join(f"    {each}" for each in found)


def main() -> int:
    """Walk the runbook, change colours under HTTPS traffic, and take everything away again."""
    if not shutil.which("terraform"):
        raise ClusterError("terraform is not installed: terraform/README.md says which one")
    began = time.monotonic()
    cluster = clusters.up(NAME, nodes=1, metrics=False)
    try:
        with account() as amazon, TemporaryDirectory() as at, ExitStack() as stack:
            amazon.client("iam").create_role(RoleName="Admins", AssumeRolePolicyDocument="{}")
            amazon.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
            before = amazon.things()
            directory = Path(at)
            programs = RealPrograms(amazon, cluster, directory, stack)
            failed = _walk(programs, cluster, directory)
            left = sorted(amazon.things() - before)
    finally:
        clusters.down(NAME)
    click.echo(f"\nLeft in the account: {', '.join(left) or 'nothing'}")
    click.echo(f"It took {time.monotonic() - began:.0f} s.")
    return 1 if failed or left else 0


def _walk(programs: RealPrograms, cluster: Cluster, directory: Path) -> int:
    folder = directory / "project"
    folder.mkdir()
    copied(folder)
    shutil.copy(REPOSITORY / "Makefile", folder)
    (directory / "bin").mkdir()
    with installed(programs, directory / "bin"):
        _say("Up")
        _run(folder, steps("Up"))
        failed = _change_colours(programs, Shell.of(cluster))
        _say("Back to nothing")
        _run(folder, steps("Back to nothing"))
        _empty_bucket(programs.amazon)
        programs.terraform(["-chdir=bootstrap", "destroy"], folder / "terraform", "")
        _delete_names(programs.amazon)
    return failed


def _run(folder: Path, commands: Sequence[str]) -> None:
    """Run the steps in one shell, as a reader would: what one exports the next ones have."""
    done = run(folder, *commands, seconds=900, echo=True)
    if done.returncode:
        raise ClusterError(f"the runbook stopped: {done.stderr}")


def _change_colours(programs: RealPrograms, shell: Shell) -> int:
    around = programs.surroundings
    assert around
    site = Site(shell=shell, namespace="weather")
    _say("A colour changed under HTTPS traffic")
    with around.client(site) as client:
        eventually(lambda: client.served.total() > 20, every=1)
        for colour in CHANGES:
            site.kubectl("patch", "weatherapp/london", "--type=merge", "-p", _colour(colour))
            version = f"--for=jsonpath={{.status.version}}={VERSIONS[colour]}"
            for condition in (version, "--for=condition=Ready"):
                site.kubectl("wait", "weatherapp/london", condition, "--timeout=300s")
            # The load balancer's data plane is behind: pods that are about to go still answer.
            eventually(lambda: client.ask() == colour, every=1)  # noqa: B023
            gated = sum("readinessGates" in each["spec"] for each in pods(site))
            click.echo(f"    the page is {colour}, {gated} of its pods have readiness gates")
    click.echo(f"    Requests sent: {client.sent}, failed: {len(client.failures)}")
    for failure in client.failures[:10]:
        click.echo(f"    failed: {failure}", err=True)
    return len(client.failures)


def _colour(colour: str) -> str:
    return f'{{"spec": {{"colour": "{colour}"}}}}'


def _say(heading: str) -> None:
    click.echo(click.style(f"\n{heading}\n", bold=True))


def _empty_bucket(amazon: Account) -> None:
    """Do what the runbook leaves to the console."""
    s3 = amazon.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        versions = s3.list_object_versions(Bucket=bucket["Name"])
        for each in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
            key, version = each["Key"], each["VersionId"]
            s3.delete_object(Bucket=bucket["Name"], Key=key, VersionId=version)


def _delete_names(amazon: Account) -> None:
    """Take the site's certificate away, as the runbook says beside its commands."""
    acm = amazon.client("acm")
    for each in acm.list_certificates()["CertificateSummaryList"]:
        acm.delete_certificate(CertificateArn=each["CertificateArn"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ClusterError, subprocess.SubprocessError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
