import random
from pathlib import Path

import pytest
from soak.samples import Sample, read, trends

HOUR = 3600


def series(resident: float, per_hour: float, *, hours: float = 2) -> list[Sample]:
    """Samples of each half minute: memory that scatters about a line, all else at one level."""
    chance = random.Random(7)
    times = [30.0 * number for number in range(int(hours * 120))]
    return [
        Sample(
            seconds=at,
            resident_mib=resident + per_hour * at / HOUR + chance.uniform(-2, 2),
            objects=400_000 + chance.randint(-9000, 9000),
            tasks=50 + chance.randint(0, 20),
            threads=6,
            descriptors=40 + chance.choice((0, 0, 15)),
        )
        for at in times
    ]


def growing(samples: list[Sample]) -> set[str]:
    return {each.name for each in trends(samples) if each.grows}


def test_what_scatters_about_a_level_does_not_grow() -> None:
    assert growing(series(100, 0)) == set()


def test_what_falls_does_not_grow() -> None:
    assert growing(series(100, -20)) == set()


def test_a_tenth_in_an_hour_is_growth() -> None:
    assert growing(series(100, 10)) == {"resident_mib"}


def test_a_task_that_is_left_behind_each_minute_is_growth() -> None:
    samples = [each._replace(tasks=each.tasks + each.seconds / 60) for each in series(100, 0)]
    assert growing(samples) == {"tasks"}


def test_the_first_quarter_may_grow() -> None:
    warm = HOUR / 2
    samples = [
        each._replace(resident_mib=each.resident_mib - 50 * max(0, 1 - each.seconds / warm))
        for each in series(100, 0)
    ]
    assert growing(samples) == set()


def test_little_is_no_growth_in_a_short_run() -> None:
    still = [each._replace(objects=1, tasks=1, descriptors=1) for each in series(100, 0, hours=0.2)]
    low = [each._replace(resident_mib=100 + each.seconds / 600) for each in still]
    high = [each._replace(resident_mib=100 + each.seconds / 120) for each in still]
    assert (growing(low), growing(high)) == (set(), {"resident_mib"})


def test_a_few_samples_tell_nothing() -> None:
    with pytest.raises(ValueError, match="let it run for longer"):
        trends(series(100, 0)[:8])


def test_samples_are_read_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    file.write_text(",".join(Sample._fields) + "\n30.0,100.5,400000,50,6,40\n")
    assert read(file) == [Sample(30, 100.5, 400_000, 50, 6, 40)]
