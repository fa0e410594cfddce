"""A balancer of connections, as a Service is: each new one goes to the next backend in turn."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import cycle
from typing import Any

# A backend that takes connections and never answers.
STALLED = 0


@contextmanager
def balancing(backends: Sequence[int], *, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Share a port of this machine, any unless it is given, between these ports of a host."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        serving = _serve(backends, host, port)
        port, close = asyncio.run_coroutine_threadsafe(serving, loop).result(10)
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(close(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(
    backends: Sequence[int], host: str, port: int
) -> tuple[int, Callable[[], Coroutine[Any, Any, None]]]:
    turns = cycle(backends)
    passing: set[asyncio.Task[Any] | None] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing.add(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            async with _closing(writer):
                await _pass_on(host, next(turns), reader, writer)

    server = await asyncio.start_server(connect, "127.0.0.1", port)

    async def close() -> None:
        # Python forgets a connection that it has just taken when its server is closed.
        for each in server.sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
        await asyncio.sleep(0.05)
        server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks & passing:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        await asyncio.sleep(0.05)  # in which the sockets are closed

    return server.sockets[0].getsockname()[1], close


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close the connection in the end; that the other side has gone is no error."""
    try:
        with suppress(OSError):
            yield
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _pass_on(
    host: str, backend: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if backend == STALLED:
        await reader.read()
        return
    there_reader, there_writer = await asyncio.open_connection(host, backend)
    async with _closing(there_writer):
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
