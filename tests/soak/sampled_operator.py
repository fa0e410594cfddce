"""The operator, which writes down every so often what its process holds, into a CSV file."""

import asyncio
import csv
import gc
import os
import runpy
import signal
import time
from pathlib import Path

import psutil

from soak.samples import Sample


def sample(file: Path, seconds: float) -> None:
    """Have a sample written every so often.

    By an alarm, and not by a thread: no half-made object of the operator's may be held by another.
    """
    began, process = time.monotonic(), psutil.Process()
    file.write_text(",".join(Sample._fields) + "\n")

    def take(*_: object) -> None:
        try:
            tasks = asyncio.all_tasks()
        except RuntimeError:
            return  # no loop runs yet, or any more
        row = Sample(
            seconds=round(time.monotonic() - began, 1),
            resident_mib=round(process.memory_info().rss / 2**20, 2),
            objects=len(gc.get_objects()),
            tasks=len(tasks),
            threads=process.num_threads(),
            descriptors=process.num_fds(),
        )
        with file.open("a", newline="") as lines:
            csv.writer(lines).writerow(row)

    signal.signal(signal.SIGALRM, take)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


if __name__ == "__main__":
    sample(Path(os.environ["SAMPLES"]), float(os.environ["SAMPLE_SECONDS"]))
    runpy.run_module("weather_operator", run_name="__main__")
