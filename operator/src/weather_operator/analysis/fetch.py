"""Requests to servers that nobody vouches for: small, short, and never followed elsewhere."""

import ssl as tls
from collections.abc import Callable, Mapping

import aiohttp
from yarl import URL

_PART_BYTES = 64 * 1024


class SourceError(Exception):
    """A source that gave nothing usable, in words that go on from its name."""


async def read(
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    seconds: float,
    most_bytes: int,
    headers: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    ssl: tls.SSLContext | bool = True,
    keep_headers: Callable[[Mapping[str, str]], object] = lambda _: None,
) -> tuple[int, bytes]:
    """Return status and body of one answer. Raises SourceError.

    The session must not decompress: a small answer could become any size.
    """
    try:
        async with session.request(
            method,
            url,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            data=form,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
            ssl=ssl,
        ) as answer:
            keep_headers(answer.headers)
            body = bytearray()
            async for part in answer.content.iter_chunked(_PART_BYTES):
                body += part
                if len(body) > most_bytes:
                    raise SourceError(f"answers with more than {most_bytes} bytes")
            return answer.status, bytes(body)
    except TimeoutError:
        raise SourceError(f"gave no answer within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise SourceError(f"does not answer: {error or type(error).__name__}") from error
