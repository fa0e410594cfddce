"""Mistakes made in the operator on purpose: each has to be caught by the campaign.

A mistake is a small replacement in a copy of the operator's source, which a process finds first.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import weather_operator

SOURCE = Path(weather_operator.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """In `file`, below the package, `old` stands once and becomes `new`.

    What the operator makes sure of twice takes `more` of the same.
    """

    file: str
    old: str
    new: str
    more: tuple["Bug", ...] = ()

    def planted(self, directory: Path) -> dict[str, str]:
        """Copy the operator with this mistake; return the environment in which Python finds it."""
        package = directory / SOURCE.name
        shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
        for each in (self, *self.more):
            file = package / each.file
            text = file.read_text()
            assert text.count(each.old) == 1, f"{each.old!r} is not once in {each.file}: adapt it"
            file.write_text(text.replace(each.old, each.new))
        return {"PYTHONPATH": str(directory)}


BUGS = {
    "replicas beside an autoscaler": Bug(
        file="rollout/plan.py",
        old="    if observed.is_scaled_by_others():\n        return False\n    autoscaler =",
        new="    autoscaler =",
        more=(
            Bug(
                file="controller/children.py",
                old="        return not any(scaled_deployment(each) == key for each in found)",
                new="        return True",
            ),
        ),
    ),
    "a failed revision is tried again": Bug(
        file="rollout/state.py",
        old='if each["revision"] == revision and each["attempt"] >= attempt:',
        new='if each["revision"] == revision and each["attempt"] > attempt:',
    ),
    "a foreign object is adopted": Bug(
        file="render/labels.py",
        old='    labels = live["metadata"].get("labels", {})\n    if not common_labels(app)',
        new="    return True\n    labels = {}\n    if not common_labels(app)",
    ),
    "a child that is asked for no longer stays": Bug(
        file="rollout/plan.py",
        old="        if kind not in manifests or (kind is AUTOSCALER and recreate_autoscaler):",
        new="        if kind is AUTOSCALER and recreate_autoscaler:",
    ),
    "no status after a refusal": Bug(
        file="controller/reconciler.py",
        old="        if written.anything and not written.apply_errors:\n",
        new="        if written.apply_errors:\n            return Outcome(failed=True)\n"
        "        if written.anything and not written.apply_errors:\n",
    ),
    "changes of children are not heard": Bug(
        file="controller/event_handlers.py",
        old="            for key in self._apps_of(kind, before, body):\n",
        new="            for key in () if before else self._apps_of(kind, before, body):\n",
    ),
    "a release's new image is not rolled out": Bug(
        file="controller/event_handlers.py",
        old="            self.enqueue_for_release(body)\n",
        new="",
    ),
    "what is so already is written again": Bug(
        file="controller/children.py",
        old="        if not found or self._waits(write, found, live):\n            return\n",
        new="        if self._waits(write, found, live):\n            return\n",
    ),
    "a suspended app is changed": Bug(
        file="rollout/plan.py",
        old="    if release is None or app.suspend or observed.is_digest_pending:",
        new="    if release is None or observed.is_digest_pending:",
    ),
    "what a conflict was about is forgotten": Bug(
        file="controller/children.py",
        old="            await refresh(self._client, self._cache, self._app, kind, key)\n",
        new="            self._cache.forget(kind, key)\n",
        more=(
            Bug(
                file="controller/reconciler.py",
                old="await refresh(self._client, self._cache, app, kind, key)",
                new="self._cache.forget(kind, key)",
            ),
            # What served last would come again, and nobody would notice.
            Bug(
                file="rollout/strategies/rolling_update.py",
                old="        again = _made_again(observed.app)\n",
                new="        again = None\n",
            ),
        ),
    ),
    "edited fields stay": Bug(
        file="controller/children.py",
        old="        if not found or self._waits(write, found, live):\n            return\n",
        new="        if not found or (live and self._is_repair()):\n            return\n",
    ),
}
