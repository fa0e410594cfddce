"""Visitors who never stop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen


@contextmanager
def load(url: str) -> Iterator[list[str]]:
    """Send requests as fast as they are answered while the context lasts; gives the failures."""
    over, failures = threading.Event(), []

    def send(number: int) -> None:
        count = 0
        while not over.is_set():
            count += 1
            # Another address each time, so that no cache saves the work.
            page = f"{url}?{number}={count}"
            try:
                with urlopen(page, timeout=10) as answer:  # noqa: S310 - it is status.url
                    answer.read()
            except (URLError, OSError) as error:
                failures.append(str(error))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        over.set()
        for thread in threads:
            thread.join()
