"""What the apps' controller and the releases' tell each other about lookups of images."""

import asyncio


class Lookups:
    """Releases, each by its uid and generation, and how their lookups stand.

    Of those that are `done` the status says all that there is to know for now: before that, what a
    new tag means is worth waiting for. An app waits for those that are `asked_for`, which the
    registry did not have. `changed` is set when there may be something to look up.
    """

    def __init__(self, changed: asyncio.Event) -> None:
        self.changed = changed
        self.done: set[str] = set()
        self.asked_for: set[str] = set()

    def ask_again(self, uid_generation: str) -> None:
        """Have a release's image looked up now, and soon again, whenever that was due."""
        self.asked_for.add(uid_generation)
        self.changed.set()
