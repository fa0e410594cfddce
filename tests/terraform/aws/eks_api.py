"""EKS over HTTP, as the Terraform provider speaks to it."""

import json
import re
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from terraform.aws import eks_members as members
from terraform.aws.eks import Eks, Json, described
from terraform.aws.refusals import RefusedError, missing

# How an answer calls one of a kind.
ONE_OF = {
    "node-groups": "nodegroup",
    "fargate-profiles": "fargateProfile",
    "addons": "addon",
    "access-entries": "accessEntry",
    "pod-identity-associations": "association",
}
KIND = f"({'|'.join(ONE_OF)})"
Route = tuple[str, str, Callable[..., Json]]


def routes(eks: Eks) -> list[Route]:
    """Method, pattern of the path, and what answers: called with the path's parts and the body."""

    def create(name: str, kind: str, asked: Json) -> Json:
        member = members.create(eks.cluster(name), kind, asked)
        for key, value in member.items():
            if key.endswith("Arn") and str(value).startswith("arn:aws:eks:"):
                eks.tags[value] = member["tags"]
        return {ONE_OF[kind]: described(member)}

    def change(name: str, kind: str, member: str, asked: Json) -> Json:
        cluster = eks.cluster(name)
        if kind == "node-groups":
            return cluster.updated(
                "ConfigUpdate", members.update_node_group(cluster, member, asked)
            )
        changed = members.update_plainly(cluster, kind, member, asked)
        busy = None if kind in members.AT_ONCE else changed
        return {ONE_OF[kind]: described(changed), **cluster.updated("AddonUpdate", busy)}

    def policies(name: str, principal: str) -> Json:
        found: Json = members.find(eks.cluster(name), "access-entries", principal)["policies"]
        return found

    def allow(name: str, principal: str, asked: Json) -> Json:
        granted = members.allow(eks.cluster(name), principal, asked)
        return {"clusterName": name, "principalArn": principal, "associatedAccessPolicy": granted}

    one, member, entry = "/clusters/([^/]+)", f"/clusters/([^/]+)/{KIND}/([^/]+)", "/access-entries"
    granted = f"{one}{entry}/([^/]+)/access-policies"
    return [
        ("POST", "/clusters", eks.create),
        ("GET", one, lambda name, _: {"cluster": described(eks.cluster(name).description)}),
        ("DELETE", one, lambda name, _: eks.delete(name)),
        ("POST", f"{one}/(?:update-config|updates)", eks.update),
        (
            "GET",
            f"{one}/(?:node-groups/[^/]+/)?updates/([^/]+)",
            lambda name, update, _: eks.cluster(name).update(update),
        ),
        ("GET", "/cluster-versions", lambda _: eks.versions()),
        ("GET", "/addons/supported-versions", _addon_versions),
        ("POST", granted, allow),
        (
            "GET",
            granted,
            lambda name, principal, _: {
                "clusterName": name,
                "principalArn": principal,
                "associatedAccessPolicies": list(policies(name, principal).values()),
            },
        ),
        (
            "DELETE",
            f"{granted}/([^/]+)",
            lambda name, principal, policy, _: (
                {} if policies(name, principal).pop(policy, None) else missing("access policy")
            ),
        ),
        ("POST", f"{one}/{KIND}", create),
        (
            "GET",
            f"{one}/node-groups",
            lambda name, _: {"nodegroups": list(eks.cluster(name).all("node-groups"))},
        ),
        (
            "GET",
            member,
            lambda name, kind, each, _: {
                ONE_OF[kind]: described(members.find(eks.cluster(name), kind, each))
            },
        ),
        (
            "DELETE",
            member,
            lambda name, kind, each, _: {
                ONE_OF[kind]: described(members.delete(eks.cluster(name), kind, each))
            },
        ),
        ("POST", f"{member}(?:/update|/update-config|/update-version)?", change),
        ("GET", "/tags/(.+)", lambda arn, _: {"tags": eks.tags.get(arn, {})}),
        ("POST", "/tags/(.+)", lambda arn, asked: eks.tags[arn].update(asked["tags"]) or {}),
        ("DELETE", "/tags/(.+)", lambda arn, asked: _untag(eks.tags[arn], asked["tagKeys"])),
    ]


def serve() -> str:
    """Address of an EKS that answers for every region, on a free port of this machine."""
    regions: dict[str, list[Route]] = {}
    answered: dict[str, Json] = {}
    lock = threading.Lock()

    def known(region: str) -> list[Route]:
        if region not in regions:
            regions[region] = routes(Eks(region))
        return regions[region]

    def answer_once(region: str, method: str, path: str, asked: Json) -> Json:
        # What a client repeats, because the answer was lost, has the same token.
        token = asked.get("clientRequestToken")
        if token not in answered:
            found = _answer(known(region), method, path, asked)
            if token is None:
                return found
            answered[token] = found
        return answered[token]

    class Server(ThreadingHTTPServer):
        # Terraform opens ten connections at once, again and again: five would be refused some.
        request_queue_size = 128

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = json.loads(body) if body else parse_qs(url.query)
            try:
                with lock:
                    region = _region(self.headers["Authorization"])
                    status, found = 200, answer_once(region, self.command, url.path, asked)
            except RefusedError as refused:
                status, found = refused.status, {"message": str(refused)}
                self.kind = refused.kind
            except Exception:  # a fault of ours must not look like one that a retry cures
                status, found = 400, {"message": traceback.format_exc()}
                self.kind = "InvalidRequestException"
            data = json.dumps(found).encode()
            self.send_response(status)
            if status != 200:
                self.send_header("x-amzn-ErrorType", self.kind)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the base class calls these names

        def log_message(self, *_: object) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _region(signature: str) -> str:
    """Read it from the scope of the request's signature: key/day/region/service/…"""
    [region] = re.findall(r"Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/eks/", signature)
    return str(region)


def _answer(known: list[Route], method: str, path: str, asked: Json) -> Json:
    for allowed, pattern, respond in known:
        match = re.fullmatch(pattern, path)
        if match and method == allowed:
            return respond(*(unquote(part) for part in match.groups()), asked)
    raise RefusedError(501, "NotImplemented", f"{method} {path}")


def _addon_versions(asked: Json) -> Json:
    [name], [version] = asked["addonName"], asked["kubernetesVersion"]
    fits = [{"clusterVersion": version, "defaultVersion": True}]
    known = {"addonVersion": members.addon_version(version), "compatibilities": fits}
    return {"addons": [{"addonName": name, "addonVersions": [known]}]}


def _untag(tags: dict[str, str], keys: list[str]) -> Json:
    for key in keys:
        tags.pop(key, None)
    return {}
