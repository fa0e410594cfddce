"""The programs that the runbook calls, each as far as the runbook needs it.

They remember what was done, and refuse what the real ones would at that point: output before
apply, kubectl before the tunnel, an app before its operator. The AWS CLI's arguments are those of
botocore's own models, and what moto has is asked of moto.

A shell finds them on its PATH: small scripts that ask the one process that remembers.
"""

import json
import shlex
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import jmespath
import yaml
from terraform.account import Account
from terraform.golden import FOLDER
from terraform.runner import REPOSITORY

Json = dict[str, Any]

API = "https://127.0.0.1:8443"
BALANCER = "k8s-weather-london-1234567890.eu-west-2.elb.amazonaws.com"
NAMES = ("aws", "buildah", "docker", "helm", "kubectl", "make", "terraform")
CLIENT = """#!{python} -SE
import json, os, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect({address!r})
given = "" if os.isatty(0) or {name!r} not in ("kubectl", "buildah") else sys.stdin.read()
asked = [{name!r}, sys.argv[1:], os.getcwd(), given]
there.sendall(json.dumps(asked).encode() + b"\\n")
out, error = json.loads(there.makefile().readline())
sys.stdout.write(out)
sys.exit(error or 0)
"""


class RefusedError(Exception):
    """A program cannot do what it was asked to."""


def fail(why: str) -> NoReturn:
    """End as a program does that cannot do what it was asked to."""
    raise RefusedError(why)


class Programs:
    """All of them, and what was done so far."""

    def __init__(self, amazon: Account) -> None:
        self.amazon = amazon
        self.done: Json = {}
        self.outputs = {
            name: value.replace("@module.", "i-").replace('"', "") if "@" in value else value
            for name, value in json.loads((FOLDER / "outputs.json").read_text()).items()
            if isinstance(value, str)
        }
        self.outputs["session_manager_command"] = _quoted("session_manager_command")
        self.outputs["backend_hcl"] = 'bucket = "weather-operator-state-123456789012"\n'

    def need(self, *things: str) -> None:
        """Refuse to go on where something was not done yet."""
        for thing in things:
            if not self.done.get(thing):
                fail(f"not yet: {thing}")

    # -- Terraform --

    def terraform(self, arguments: list[str], folder: Path, _: str) -> str:
        """What an apply makes is in the golden files; here it matters what came before it."""
        if arguments[0].startswith("-chdir="):
            folder /= arguments[0].removeprefix("-chdir=")
            arguments = arguments[1:]
        if not (folder / "versions.tf").exists():
            fail(f"{folder} holds no configuration")
        where = "bootstrap" if folder.name == "bootstrap" else "root"
        command, options = arguments[0], arguments[1:]
        match command:
            case "init":
                if where == "root":
                    self._require_backend(folder, options)
                self.done[f"{where} initialised"] = True
            case "apply":
                self.need(f"{where} initialised")
                if where == "root" and not (folder / "terraform.tfvars").exists():
                    fail("nobody administers the cluster")
                self.done[f"{where} applied"] = True
                self.done["images may go"] = "-var=ecr_force_delete=true" in options
            case "output":
                self.need(f"{where} applied")
                raw, name = options
                if raw != "-raw" or name not in self.outputs:
                    fail(f"{name} is no output that is a string")
                return self.outputs[name]
            case "destroy":
                if self.done.get("balancer"):
                    fail("DependencyViolation: the VPC has dependencies and cannot be deleted")
                if self.done.get("images pushed") and not self.done["images may go"]:
                    fail("RepositoryNotEmptyException")
                self.done[f"{where} destroyed"] = True
            case _:
                fail(f"{command} is not of the runbook")
        return ""

    def _require_backend(self, folder: Path, options: list[str]) -> None:
        self.need("bootstrap applied")
        if not (folder / "backend.tf").exists() or options != ["-backend-config=backend.hcl"]:
            fail("the state would lie on this machine")
        if "bucket" not in (folder / "backend.hcl").read_text():
            fail("backend.hcl names no bucket")

    # -- the AWS CLI --

    def aws(self, arguments: list[str], _: Path, __: str) -> str:
        """Ask moto, or be the program that a customisation of the CLI is."""
        service, operation, *rest = arguments
        if operation == "wait":
            operation, *rest = rest
        options = dict(zip(rest[::2], rest[1::2], strict=True))
        own: dict[str, Callable[[Json], str]] = {
            "ssm start-session": self._session,
            "eks update-kubeconfig": self._kubeconfig,
            "ecr get-login-password": self._password,
            "acm certificate-validated": self._validated,
        }
        if called := own.get(f"{service} {operation}"):
            return called(options)
        region = options.pop("--region", "us-west-2")
        query, output = options.pop("--query", None), options.pop("--output", "json")
        answer = self._answered(service, region, operation, options)
        found = jmespath.search(query, answer) if query else answer
        if output == "text":
            return "\t".join(found) if isinstance(found, list) else str(found)
        return json.dumps(found, default=str)

    def _answered(self, service: str, region: str, operation: str, options: Json) -> Json:
        client = self.amazon.client(service, region)
        model = client.meta.service_model.operation_model(_camel(operation))
        members = model.input_shape.members
        by_option = {_dashed(name): name for name in members}
        given = {}
        for option, value in options.items():
            name = by_option.get(option) or fail(f"Unknown options: {option}")
            structured = members[name].type_name == "structure"
            given[name] = json.loads(value) if structured else value
        if lacking := set(model.input_shape.required_members) - set(given):
            fail(f"the following arguments are required: {lacking}")
        if service == "elbv2":
            names = [BALANCER] if self.done.get("balancer") else []
            vpc = self.outputs["vpc_id"]
            return {"LoadBalancers": [{"LoadBalancerName": each, "VpcId": vpc} for each in names]}
        answer: Json = getattr(client, operation.replace("-", "_"))(**given)
        return answer

    def _session(self, options: Json) -> str:
        self.need("root applied")
        match options["--document-name"]:
            case "AWS-StartPortForwardingSessionToRemoteHost":
                told = dict(each.split("=", 1) for each in options["--parameters"].split(","))
                if told["portNumber"] != "443" or told["localPortNumber"] != "8443":
                    fail("the API answers on 443")
                self.done["tunnel"] = told["host"]
            case "AWS-StartInteractiveCommand":
                self.done["shell"] = json.loads(options["--parameters"])["command"]
            case document:
                fail(f"there is no document {document}")
        return ""

    def _kubeconfig(self, options: Json) -> str:
        self.need("root applied")
        name, region = options["--name"], options["--region"]
        self.done["cluster"] = f"arn:aws:eks:{region}:123456789012:cluster/{name}"
        return ""

    def _password(self, options: Json) -> str:
        return f"password for {options['--region']}"

    def _validated(self, options: Json) -> str:
        """ACM validates once the record that it named is in the zone."""
        acm = self.amazon.client("acm", options["--region"])
        certificate = acm.describe_certificate(CertificateArn=options["--certificate-arn"])
        [wanted] = certificate["Certificate"]["DomainValidationOptions"]
        if wanted["ResourceRecord"]["Name"].rstrip(".") not in records(self.amazon):
            fail("Waiter CertificateValidated failed: Max attempts exceeded")
        return ""

    # -- what speaks to the cluster --

    def _reach(self) -> None:
        """The API answers inside the VPC alone: through the tunnel, by its certificate's name."""
        self.need("tunnel", "cluster", "server")
        if self.done["server"] != [API, self.done["tunnel"]]:
            fail(f"Unable to connect to the server: {self.done['server']}")

    def kubectl(self, arguments: list[str], _: Path, given: str) -> str:
        """Enough of a cluster to install into."""
        match arguments:
            case ["config", "view", *_]:
                self.need("cluster")
                return str(self.done["cluster"])
            case ["config", "set-cluster", name, server, host]:
                if name != self.done["cluster"]:
                    fail(f"no cluster {name}")
                told = [server.removeprefix("--server="), host.removeprefix("--tls-server-name=")]
                self.done["server"] = told
                return ""
        self._reach()
        match arguments:
            case ["get", "nodes"]:
                pass
            case ["apply", "-f", "-"]:
                metadata = yaml.safe_load(given)["metadata"]
                self.done["namespace"] = metadata["name"]
                gates = metadata["labels"].get("elbv2.k8s.aws/pod-readiness-gate-inject")
                self.done["gates"] = gates == "enabled"
            case ["apply", "--namespace", name, "-f", "-"]:
                self._apply(name, yaml.safe_load(given))
            case ["wait", "weatherapp/london", *_]:
                self.need("balancer")
            case ["get", "ingress", "london", *_]:
                self.need("balancer")
                return BALANCER
            case ["delete", "weatherapps", "--all", "--all-namespaces"]:
                self.need("controller")
                self.done["balancer"] = False
            case _:
                fail(f"{shlex.join(arguments)} is not of the runbook")
        return ""

    def _apply(self, namespace: str, app: Json) -> None:
        self.need("operator", "controller", "gates")
        if namespace != self.done["namespace"]:
            fail(f"namespaces {namespace} not found")
        definition = yaml.safe_load((REPOSITORY / "crds/weatherapp.yaml").read_text())
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        _require_known(app["spec"], schema["properties"]["spec"], "spec")
        ingress = app["spec"]["ingress"]
        certificate = ingress["tls"]["certificateArn"]
        self.done |= {"balancer": True, "host": ingress["host"], "certificate": certificate}

    def helm(self, arguments: list[str], folder: Path, _: str) -> str:
        """Install the controller's chart, and take both away in the runbook's order."""
        self._reach()
        match arguments:
            case ["upgrade", "--install", name, chart, *rest]:
                if {name, chart} != {"aws-load-balancer-controller"}:
                    fail(f"no chart {chart}")
                options = dict(zip(rest[::2], rest[1::2], strict=False))
                if not {"--version", "--repo", "--namespace"} <= set(options):
                    fail("which chart, and where to?")
                values = yaml.safe_load((folder / options["--values"]).read_text())
                if lacking := {"clusterName", "region", "vpcId"} - set(values):
                    fail(f"the controller lacks {lacking}")
                self.done["controller"] = values["serviceAccount"]["name"]
            case ["uninstall", "weather-operator", "--namespace", "weather-system"]:
                self.need("operator")
            case ["uninstall", "aws-load-balancer-controller", "--namespace", "kube-system"]:
                if self.done.get("balancer"):
                    fail("nobody would take the load balancer away")
                self.done["controller"] = False
            case _:
                fail(f"{shlex.join(arguments)} is not of the runbook")
        return ""

    # -- images --

    def docker(self, _: list[str], __: Path, ___: str) -> str:
        """There is no engine here."""
        fail("Cannot connect to the Docker daemon")

    def buildah(self, arguments: list[str], _: Path, given: str) -> str:
        """Log in to the registry, with the password of its own region."""
        match arguments:
            case ["login", "--username", "AWS", "--password-stdin", registry]:
                if given.removeprefix("password for ") not in registry.split("."):
                    fail("401 Unauthorized")
                self.done["login"] = registry
            case _:
                fail(f"{shlex.join(arguments)} is not of the runbook")
        return ""

    def make(self, arguments: list[str], folder: Path, _: str) -> str:
        """The Makefile's targets, of which the documents' own test knows that they are there."""
        if not (folder / "Makefile").exists():
            fail("No targets specified and no makefile found")
        target, *given = arguments
        told = dict(each.split("=", 1) for each in given)
        match target:
            case "images":
                (folder / "build").mkdir(exist_ok=True)
                self.done["images"] = True
            case "push":
                self.need("images", "login")
                if told["REGISTRY"] != self.done["login"]:
                    fail("unauthorized")
                self.done["images pushed"] = True
            case "install":
                self._reach()
                self.need("images pushed")
                _, file = shlex.split(told["HELM_FLAGS"])
                values = yaml.safe_load((folder / file).read_text())
                self.done["operator"] = "serviceAccountAnnotations" in values
            case _:
                fail(f"No rule to make target {target}")
        return ""


def records(amazon: Account) -> dict[str, str]:
    """Name → value of the records in the account's one zone."""
    route53 = amazon.client("route53")
    [zone] = route53.list_hosted_zones()["HostedZones"]
    found = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    return {
        each["Name"].rstrip("."): each["ResourceRecords"][0]["Value"]
        for each in found
        if each["Type"] == "CNAME"
    }


@contextmanager
def installed(programs: Programs, place: Path) -> Iterator[None]:
    """Put the programs in a directory, as long as they are wanted."""
    lock = threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            name, arguments, folder, given = json.loads(self.rfile.readline())
            try:
                with lock:
                    answer = [getattr(programs, name)(arguments, Path(folder), given), ""]
            except RefusedError as refused:
                answer = ["", f"{name}: {refused}"]
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    address = str(place / "socket")
    with socketserver.ThreadingUnixStreamServer(address, Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in NAMES:
            text = CLIENT.format(python=sys.executable, address=address, name=name)
            (place / name).write_text(text)
            (place / name).chmod(0o755)
        yield
        server.shutdown()


def _require_known(value: Any, schema: Json, path: str) -> None:
    if isinstance(value, dict) and "properties" in schema:
        for key, each in value.items():
            if key not in schema["properties"]:
                fail(f'unknown field "{path}.{key}"')
            _require_known(each, schema["properties"][key], f"{path}.{key}")


def _quoted(output: str) -> str:
    text: str = json.loads((FOLDER / "outputs.json").read_text())[output]
    address, _, rest = text.partition(" --document-name")
    return f"{address.replace('@module.', 'i-')} --document-name{rest}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _dashed(name: str) -> str:
    words = name.replace("DNS", "Dns")
    return "--" + "".join(f"-{each.lower()}" if each.isupper() else each for each in words)[1:]
