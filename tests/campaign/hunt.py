"""A mistake is planted, and plans are played until one of them fails."""

import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

from weather_cluster.clusters import Cluster

from campaign.bugs import BUGS
from campaign.plans import Plan
from campaign.play import Result, play
from campaign.stage import Stage, stage


def side_by_side(
    here: Stage, plans: Iterable[Plan], *, number: int, timeout: float
) -> Generator[Result]:
    """Yield what came of plans, as they end, while so many are played at once."""
    with ThreadPoolExecutor(number) as pool:
        playing = [pool.submit(play, here, plan, timeout=timeout) for plan in plans]
        try:
            for each in as_completed(playing):
                yield each.result()
        finally:
            pool.shutdown(cancel_futures=True)


def hunt(
    cluster: Cluster,
    names: Sequence[str],
    plans: Sequence[Plan],
    *,
    number: int,
    timeout: float,
    first_run: int = 1,
    report: Callable[[str, Result | None], None] = lambda _name, _result: None,
) -> dict[str, Result | None]:
    """Return by which result each bug was caught, None where no plan failed.

    Each bug has an operator of its own, and so many bugs are hunted at once. The runs need numbers
    that no other has, from the first one on.
    """

    def caught(position: int, name: str) -> Result | None:
        begin = first_run + position * len(plans)
        runs = range(begin, begin + len(plans))
        with tempfile.TemporaryDirectory() as directory:
            environment = BUGS[name].planted(Path(directory))
            with (
                stage(cluster, Path(directory), environment, runs=runs) as here,
                closing(side_by_side(here, plans, number=1, timeout=timeout)) as results,
            ):
                found = next((result for result in results if result.failures), None)
        report(name, found)
        return found

    with ThreadPoolExecutor(number) as pool:
        results = pool.map(caught, range(len(names)), names)
        return dict(zip(names, results, strict=True))
