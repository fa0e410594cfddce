"""What clusters do to a connection: real sockets on the loopback, a server that a test plays."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
import yaml
from aiohttp import web
from kubernetes.aio.client import Configuration
from weather_operator.kube import connection as connections
from weather_operator.kube.client import Client
from weather_operator.kube.connection import Connection, connect
from weather_operator.kube.errors import NotLeadingError, UnavailableError, UnconfiguredError
from weather_operator.kube.resources import DEPLOYMENT, LEASE, Key, Manifest

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONDON = Key(namespace="default", name="london")
MANIFEST: Manifest = {"metadata": {"namespace": "default", "name": "london"}}


@asynccontextmanager
async def server_of(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of an API server that answers every request so, and hangs up when it ends."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    connection = Connection(Configuration(host=url), user_agent="test", observe=lambda *_: None)
    try:
        yield Client(connection)
    finally:
        await connection.close()


async def apply(client: Client) -> Manifest:
    return await client.apply(DEPLOYMENT, MANIFEST, manager="test", force=True)


class Recording:
    """An API server that answers everything with an empty object, once it may."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.ended: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.received.append(request.method)
        await self.may_answer.wait()
        self.ended.append(request.method)
        return web.json_response({})


async def test_who_may_not_write_reads_and_tries_for_the_lease() -> None:
    server = Recording()
    async with server_of(server.answer) as url, client_of(url) as client:
        client.connection.may_write = lambda: False
        with pytest.raises(NotLeadingError):
            await apply(client)
        with pytest.raises(NotLeadingError):
            await client.delete(DEPLOYMENT, LONDON, uid="1")
        assert server.received == []
        await client.get(DEPLOYMENT, LONDON)
        await client.replace(LEASE, LONDON, MANIFEST)
    assert server.received == ["GET", "PUT"]


async def test_the_lease_is_looked_at_once_more_when_a_write_that_had_to_wait_can_go_out() -> None:
    server = Recording()
    answers = iter([True, False])
    async with server_of(server.answer) as url, client_of(url) as client:
        client.connection.may_write = lambda: next(answers)
        with pytest.raises(NotLeadingError):
            await apply(client)
        await client.get(DEPLOYMENT, LONDON)
        answers = iter([True, False])
        with pytest.raises(NotLeadingError):
            await apply(client)
    assert server.received == ["GET"], "over a new connection, and over one that is used again"


async def test_a_write_that_was_begun_is_waited_for_though_its_caller_is_cancelled() -> None:
    server = Recording()
    server.may_answer.clear()
    async with server_of(server.answer) as url, client_of(url) as client:
        writing = asyncio.create_task(apply(client))
        await until(lambda: server.received == ["PATCH"])
        writing.cancel()
        _, pending = await asyncio.wait([writing], timeout=0.05)
        assert pending
        server.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert server.ended == ["PATCH"]
        assert not client.connection.has_open_writes()


async def test_a_write_that_is_not_answered_is_given_up_and_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_LAST_WRITE_SECONDS", 0.05)
    server = Recording()
    server.may_answer.clear()
    async with server_of(server.answer) as url, client_of(url) as client:
        writing = asyncio.create_task(apply(client))
        await until(lambda: server.received == ["PATCH"])
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert client.connection.has_open_writes()
        server.may_answer.set()


async def test_a_read_is_not_waited_for() -> None:
    server = Recording()
    server.may_answer.clear()
    async with server_of(server.answer) as url, client_of(url) as client:
        reading = asyncio.create_task(client.get(DEPLOYMENT, LONDON))
        await until(lambda: server.received == ["GET"])
        reading.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await reading
        server.may_answer.set()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what it asks is another's
            await asyncio.sleep(0.001)


class Authority:
    """A certificate authority that a kubeconfig names, and a token that a server asks for."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.file = kubeconfig.with_name("ca.crt")
        self.token = "first"  # noqa: S105
        self.renew()
        self.publish()

    def renew(self) -> None:
        """Begin anew: what the former authority signed is worth nothing."""
        self._ca = trustme.CA()
        self._tls = self._ca.issue_cert("127.0.0.1")

    def tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.configure_cert(context)
        return context

    def publish(self) -> None:
        """Tell clients of the authority of now."""
        self._ca.cert_pem.write_to_path(str(self.file))

    def write(self, url: str) -> None:
        """Write a kubeconfig with the token of now."""
        cluster = {"server": url, "certificate-authority": str(self.file)}
        config = {
            "current-context": "one",
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            "clusters": [{"name": "one", "cluster": cluster}],
            "users": [{"name": "one", "user": {"token": self.token}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config")
    )
    return Authority(tmp_path / "config")


async def test_a_new_certificate_authority_is_trusted_once_it_is_there(
    authority: Authority,
) -> None:
    server = Recording()
    async with server_of(server.answer, tls=authority.tls()) as url:
        authority.write(url)
        async with connect(user_agent="test", observe=lambda *_: None) as connection:
            client = Client(connection)
            await client.get(DEPLOYMENT, LONDON)
            authority.renew()
            async with server_of(server.answer, tls=authority.tls()) as url_of_now:
                authority.write(url_of_now)
                await connection.reload_credentials()
                with pytest.raises(UnavailableError, match="certificate"):
                    await client.get(DEPLOYMENT, LONDON)
                renewed = connection.renewed
                assert not renewed.is_set()
                authority.publish()
                await apply(client)
                assert renewed.is_set()
    assert server.received == ["GET", "PATCH"]


async def test_certificates_that_are_half_written_leave_the_former_ones(
    authority: Authority,
) -> None:
    server = Recording()
    async with server_of(server.answer, tls=authority.tls()) as url:
        authority.write(url)
        async with connect(user_agent="test", observe=lambda *_: None) as connection:
            authority.file.write_text("-----BEGIN CERT")
            await connection.reload_credentials()
            await apply(Client(connection))
            authority.publish()
            await connection.reload_credentials()
            await apply(Client(connection))
    assert server.received == ["PATCH", "PATCH"]


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "current-context: one"])
async def test_a_kubeconfig_that_is_none_leads_to_no_cluster(
    authority: Authority, text: str
) -> None:
    authority.kubeconfig.write_text(text)
    with pytest.raises(UnconfiguredError):
        async with connect(user_agent="test", observe=lambda *_: None):
            pass


async def test_a_certificate_that_is_none_is_named(authority: Authority) -> None:
    authority.write("https://127.0.0.1:1")
    authority.file.write_text("none")
    with pytest.raises(UnconfiguredError, match="the certificates cannot be used"):
        async with connect(user_agent="test", observe=lambda *_: None):
            pass


async def test_a_token_that_ran_out_is_read_again_once_for_all(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = "Bearer first"
    reads = 0
    load = connections._load_credentials

    async def count(configuration: Configuration) -> None:
        nonlocal reads
        reads += 1
        await load(configuration)

    async def answer(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization")
        return web.json_response({}, status=200 if given == accepted else 401)

    monkeypatch.setattr(connections, "_load_credentials", count)
    async with server_of(answer, tls=authority.tls()) as url:
        authority.write(url)
        async with connect(user_agent="test", observe=lambda *_: None) as connection:
            client = Client(connection)
            await client.get(DEPLOYMENT, LONDON)
            accepted, authority.token = "Bearer second", "second"
            authority.write(url)
            await asyncio.gather(*(client.get(DEPLOYMENT, LONDON) for _ in range(8)))
            assert reads == 2
            accepted = "Bearer third"
            authority.kubeconfig.unlink()
            with pytest.raises(UnavailableError):
                await client.get(DEPLOYMENT, LONDON)
            authority.token = "third"  # noqa: S105
            authority.write(url)
            await client.get(DEPLOYMENT, LONDON)


@pytest.mark.parametrize("text", ["<html>please log in", "[]", ""])
async def test_an_answer_without_an_object_is_not_the_api_servers(text: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    async with server_of(answer) as url, client_of(url) as client:
        with pytest.raises(UnavailableError, match="in the API server's place"):
            await client.get(DEPLOYMENT, LONDON)
        with pytest.raises(UnavailableError, match="in the API server's place"):
            await client.serves((DEPLOYMENT,))


async def test_a_watch_that_tells_nonsense_ends() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>please log in")

    async with server_of(answer) as url, client_of(url) as client:
        with pytest.raises(UnavailableError):
            async for _ in client.follow(LEASE, LONDON, since="1"):
                pass
