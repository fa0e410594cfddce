"""Makes the pictures of the page in docs/, as Chromium shows it: `make pictures`."""

import asyncio
import base64
import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize
from support.browser import chromium
from support.deadlines import eventually
from support.ports import free_port
from support.webapp import Site, ready, running

DOCS = Path(__file__).parent
COLOURS = {"yellow": "1.0.0", "green": "2.0.0", "red": "3.0.0", "rebeccapurple": "5.0.0"}
LANGUAGES = ("de", "fr", "es", "pt", "it", "pl", "ja")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DESK: ViewportSize = {"width": 1000, "height": 1080}
PHONE: ViewportSize = {"width": 390, "height": 830}
ANSWERS_TO_SEE = 120


class Camera:
    """Takes pictures of sites in one browser."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def take(
        self,
        port: int,
        path: str,
        size: ViewportSize,
        scheme: Literal["light", "dark"] = "light",
        *,
        answers: int = 0,
    ) -> bytes:
        """Return the page at this address; of the live view after so many answers."""
        with self._browser.new_context(viewport=size, color_scheme=scheme) as context:
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{port}{path}")
            if answers:
                count = page.locator(".count")
                eventually(lambda: int("".join(filter(str.isdigit, count.inner_text()))) >= answers)
            return page.screenshot()

    def compose(self, name: str, pictures: Iterable[bytes], columns: int, width: int) -> None:
        """Write these pictures side by side into docs/."""
        images = "".join(
            f'<img src="data:image/png;base64,{base64.b64encode(each).decode()}">'
            for each in pictures
        )
        style = (
            "body{margin:0;padding:12px;background:#9aa0a8;display:grid;gap:12px;"
            f"grid-template-columns:repeat({columns},1fr)}}img{{width:100%;border-radius:8px}}"
        )
        with self._browser.new_context(viewport={"width": width, "height": 100}) as context:
            page = context.new_page()
            page.set_content(f"<style>{style}</style>{images}")
            page.screenshot(path=DOCS / name, full_page=True)


@contextmanager
def balanced(ports: Iterable[int]) -> Iterator[int]:
    """Give a port whose connections go to each of these in turn, as a Service's do."""
    port, turns, started = free_port(), itertools.cycle(ports), threading.Event()
    loop = asyncio.new_event_loop()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, sink = await asyncio.open_connection("127.0.0.1", next(turns))
        await asyncio.gather(pipe(reader, sink), pipe(upstream, writer), return_exceptions=True)

    async def serve() -> None:
        await asyncio.start_server(connect, "127.0.0.1", port)
        started.set()

    serving = loop.create_task(serve())
    threading.Thread(target=loop.run_forever, daemon=True).start()
    started.wait()
    yield port
    loop.call_soon_threadsafe(serving.cancel)
    loop.call_soon_threadsafe(loop.stop)


def _pod(stack: ExitStack, colour: str, pod: str) -> Site:
    site = running(
        APP_VERSION=COLOURS[colour],
        APP_COLOUR=colour,
        APP_COMMIT="1a2b3c4d5e6f",
        POD_NAME=f"london-6c9f7d5b8-{pod}",
        NODE_NAME="node-1",
        FAULT_TOKEN="x" * 8,
    )
    return ready(stack.enter_context(site))


def main() -> None:
    """Make all three."""
    with ExitStack() as stack:
        camera = Camera(stack.enter_context(chromium()))
        pods = {colour: _pod(stack, colour, "x2x4k") for colour in COLOURS}
        second = _pod(stack, "yellow", "v9k2r")
        upgrade = [pods["yellow"].port, second.port, pods["green"].port]
        live = stack.enter_context(balanced(upgrade))
        green = pods["green"].port
        desk = [camera.take(p.port, "/", DESK, each) for p in pods.values() for each in SCHEMES]
        for scheme in SCHEMES:
            desk.append(camera.take(green, "/?city=Pariis", DESK, scheme))
            desk.append(camera.take(live, "/live", DESK, scheme, answers=ANSWERS_TO_SEE))
        camera.compose("page-desk.png", desk, columns=4, width=1400)
        phone = [camera.take(p.port, "/", PHONE, each) for p in pods.values() for each in SCHEMES]
        phone += [
            camera.take(green, f"/?city=Tokyo&lang={each}", {**PHONE, "height": 1400})
            for each in LANGUAGES
        ]
        phone.append(
            camera.take(pods["red"].port, "/?city=Pariis", {**PHONE, "height": 1400}, "dark")
        )
        camera.compose("page-phone.png", phone, columns=8, width=1400)
        both = [
            camera.take(green, "/", DESK),
            camera.take(live, "/live", DESK, answers=ANSWERS_TO_SEE),
        ]
        camera.compose("page.png", both, columns=2, width=1365)


if __name__ == "__main__":
    main()
