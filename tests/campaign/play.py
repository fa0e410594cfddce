"""A plan played on a stage, and what came of it."""

import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from support.faults import WRITES, Request, Rule

from campaign import oracles
from campaign.api import Api
from campaign.audit import AuditLog, Quiet
from campaign.plans import NOTE, RESTS, Act, Plan, Spec, Step
from campaign.predictions import FOREIGN, manifest_of, predict, releases_of
from campaign.stage import Stage, namespaces_of

_AT_MOST_FAULTY_SECONDS = 30.0
_LONGEST_REST_SECONDS = 120.0
_RESTED_RENEWALS = 2
_LOGGED_LINES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a plan: no failures, or what each oracle said.

    A plan that broke off has one failure, which says what ended it and what it did last.
    """

    plan: Plan
    failures: tuple[str, ...]
    seconds: float
    settled_seconds: float
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step that was carried out: from when to when, in seconds since the epoch, and its outcome.

    An AWAIT or a SETTLE has `rested` if the operator did.
    """

    step: Step
    began: float
    at: float
    rested: bool


@dataclass(slots=True)
class Run:
    """One playing of a plan, in a namespace and with releases of its own.

    `done` are the steps that were carried out.
    """

    stage: Stage
    plan: Plan
    number: int
    rules: list[Rule] = field(default_factory=list)
    errands: list[threading.Thread] = field(default_factory=list)
    squatted: set[str] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    doing: str = "make its namespace"

    @property
    def api(self) -> Api:
        """The users' way to the API server."""
        return self.stage.api

    @property
    def namespace(self) -> str:
        """Where the plan's apps are."""
        return namespaces_of(self.number)[0]

    @property
    def clean_namespace(self) -> str:
        """Where the same apps are made anew at the end."""
        return namespaces_of(self.number)[1]

    def rested_before(self, at: float) -> bool:
        """Whether all faults were over and the operator at rest when it last was to be.

        Then it knew all that had been done before.
        """
        waits = [done for done in self.done if done.at < at and done.step.act in RESTS]
        return bool(waits) and waits[-1].rested and any(_settles(done) for done in waits)

    def version(self, release: str) -> str:
        """The number by which the apps of this run name a release."""
        return f"{self.number}.{release}.0"

    def set_release(self, release: str, image: str) -> None:
        """Make a release, or change its image."""
        word = "".join(chr(ord("a") + int(digit)) for digit in f"{self.number}{release}")
        spec = {"version": self.version(release), "colour": f"colour{word}", "image": image}
        head = {"apiVersion": "weather.quantspark.io/v1", "kind": "WeatherRelease"}
        body = {**head, "metadata": {"name": self.release_name(release)}, "spec": spec}
        self.api.apply("weatherreleases", body)

    def release_name(self, release: str) -> str:
        """The name of a release's object."""
        return f"run-{self.number}-{release}"

    def apply_app(self, name: str, spec: Spec, namespace: str) -> None:
        """Apply an app with a spec of the plan."""
        rollout = {"minReadySeconds": 0, "progressDeadlineSeconds": 4, **spec["rollout"]}
        wish = {**spec, "version": self.version(spec["version"]), "rollout": rollout}
        head = {"apiVersion": "weather.quantspark.io/v1", "kind": "WeatherApp"}
        metadata = {"name": name, "namespace": namespace}
        self.api.apply("weatherapps", {**head, "metadata": metadata, "spec": wish})

    def make_namespace(self, name: str) -> None:
        """Make a namespace."""
        head = {"apiVersion": "v1", "kind": "Namespace"}
        self.api.apply("namespaces", {**head, "metadata": {"name": name}})


def _settles(done: Done) -> bool:
    return done.step.act is Act.SETTLE and done.rested


def play(stage: Stage, plan: Plan, *, timeout: float) -> Result:
    """Carry out a plan's steps, end its faults, and ask every oracle.

    What has to come is waited for until the operator rests, and for `timeout` seconds at most.
    """
    run = Run(stage=stage, plan=plan, number=stage.next_run())
    audit = AuditLog.from_now(stage.cluster.audit_log)
    began = time.monotonic()
    settled = 0.0
    failures: list[str] = []
    try:
        try:
            settled, failures = _play(run, audit, timeout)
        finally:
            _clean_up(run)
    except Exception as error:
        failures = [*failures, _broken_off(run, error)]
    return Result(
        plan=plan,
        failures=tuple(failures),
        seconds=time.monotonic() - began,
        settled_seconds=settled,
        writes=sum(write.is_operators for write in audit.writes(run.namespace)),
    )


def _play(run: Run, audit: AuditLog, timeout: float) -> tuple[float, list[str]]:
    logs = {log: log.stat().st_size for log in run.stage.operators.logs}
    run.make_namespace(run.namespace)
    for release in releases_of(run.plan):
        run.doing = f"make release {release}"
        run.set_release(release, "weather:good")
    with run.api.recording(("weatherapps", "deployments"), run.namespace) as record:
        for number, step in enumerate(run.plan.steps, start=1):
            run.doing = f"step {number} of {len(run.plan.steps)}, {step}"
            time.sleep(step.after)  # when something happens is a part of the plan
            began = time.time()
            rested = _DO[step.act](run, step) is True
            run.done.append(Done(step=step, began=began, at=time.time(), rested=rested))
        run.doing = "end its faults"
        end_faults(run)
        if run.errors:
            raise run.errors[0]
        run.doing = "ask the oracles"
        prediction = predict(run.plan)
        context = oracles.Context(
            run=run, prediction=prediction, audit=audit, record=record, timeout=timeout
        )
        return oracles.ask(context, logs)


def _broken_off(run: Run, error: Exception) -> str:
    """Say what ended a plan and where to look: the log is kept with the trace of the error."""
    with tempfile.NamedTemporaryFile(
        "w", prefix=f"campaign-seed-{run.plan.seed}-", suffix=".log", delete=False
    ) as log:
        log.write(f"seed {run.plan.seed} broke off when it was to {run.doing}\n\n")
        log.writelines(traceback.format_exception(error))
        for each in run.stage.operators.logs:
            log.write(f"\nthe operator's {each.name}:\n")
            log.writelines(each.read_text().splitlines(keepends=True)[-_LOGGED_LINES:])
    said = f"{type(error).__name__}: {error}"
    return f"seed {run.plan.seed} broke off ({said}) when it was to {run.doing}; log: {log.name}"


def end_faults(run: Run) -> None:
    """Let everything pass again and everybody live."""
    for rule in run.rules:
        rule.times = rule.met
    for errand in run.errands:
        errand.join(_AT_MOST_FAULTY_SECONDS * 3)


def _clean_up(run: Run) -> None:
    end_faults(run)
    for namespace in (run.namespace, run.clean_namespace):
        run.api.delete("namespaces", "", namespace)
    for release in releases_of(run.plan):
        run.api.delete("weatherreleases", "", run.release_name(release))


# -- the steps --


def _apply(run: Run, step: Step) -> None:
    run.apply_app(step.about, step.value, run.namespace)


def _delete(run: Run, step: Step) -> None:
    run.api.delete("weatherapps", run.namespace, step.about)


def _edit(run: Run, step: Step) -> None:
    if step.about not in run.squatted:
        run.api.patch(step.kind, run.namespace, step.about, step.value)


def _delete_child(run: Run, step: Step) -> None:
    if step.about not in run.squatted:
        run.api.delete(step.kind, run.namespace, step.about)


def _scale_child(run: Run, step: Step) -> None:
    run.api.scale(run.namespace, step.about, step.value)


def _add(run: Run, step: Step) -> None:
    kind, body = manifest_of(step.act, step.about, run.namespace)
    run.api.apply(kind, body)
    if step.act is Act.ADD_SQUATTER:
        run.squatted.add(step.about)


def _drop(run: Run, step: Step) -> None:
    if step.act is not Act.DROP_SQUATTER:
        act = Act.ADD_AUTOSCALER if step.act is Act.DROP_AUTOSCALER else Act.ADD_BUDGET
        run.api.delete(FOREIGN[act], run.namespace, f"{step.about}-theirs")
    elif step.about in run.squatted:
        run.squatted.discard(step.about)
        run.api.delete("services", run.namespace, step.about)


def _set_image(run: Run, step: Step) -> None:
    run.set_release(step.about, step.value)


def _delete_release(run: Run, step: Step) -> None:
    run.api.delete("weatherreleases", "", run.release_name(step.about))


def _annotate(run: Run, step: Step) -> None:
    """Add what the operator does not declare: that is none of its business."""
    patch = {"metadata": {"annotations": {NOTE: "theirs"}}}
    run.api.patch(step.kind, run.namespace, step.about, patch)


def _await(run: Run, step: Step) -> bool:
    """Go on when nothing was written between renewals: what comes next meets what is done."""
    renewals = step.value or _RESTED_RENEWALS
    quiet = Quiet(run.stage.cluster.audit_log, run.stage.lease, (run.namespace,))
    deadline = time.monotonic() + _LONGEST_REST_SECONDS
    while not (rests := quiet.renewals() >= renewals) and time.monotonic() < deadline:
        time.sleep(0.2)
    return rests


def _settle(run: Run, step: Step) -> bool:
    end_faults(run)
    return _await(run, step)


def _matches(run: Run, step: Step) -> Callable[[Request], bool]:
    """Return which of the operator's writes into the plan's namespace a fault is about."""
    namespace, kind = run.namespace, step.kind

    def matches(asked: Request) -> bool:
        is_ours = asked.namespace == namespace and asked.verb in WRITES
        return is_ours and asked.kind != "events" and kind in ("", asked.kind)

    return matches


def _refuse(run: Run, step: Step) -> None:
    run.rules.append(run.stage.proxy.fail(_matches(run, step), step.value, times=step.times))


def _lose(run: Run, step: Step) -> None:
    run.rules.append(run.stage.proxy.swallow(_matches(run, step), times=step.times))


def _reset(run: Run, step: Step) -> None:
    run.rules.append(run.stage.proxy.reset(_matches(run, step), times=step.times))


def _slow(run: Run, step: Step) -> None:
    rule = run.stage.proxy.slow_down(_matches(run, step), seconds=step.value)
    rule.times = step.times
    run.rules.append(rule)


def _errand(run: Run, act: Callable[[], None]) -> None:
    def carried_out() -> None:
        try:
            act()
        except Exception as error:
            run.errors.append(error)

    thread = threading.Thread(target=carried_out, daemon=True)
    thread.start()
    run.errands.append(thread)


_DO: dict[Act, Callable[[Run, Step], object]] = {
    Act.APPLY: _apply,
    Act.DELETE: _delete,
    Act.EDIT: _edit,
    Act.DELETE_CHILD: _delete_child,
    Act.SCALE_CHILD: _scale_child,
    Act.ADD_AUTOSCALER: _add,
    Act.DROP_AUTOSCALER: _drop,
    Act.ADD_BUDGET: _add,
    Act.DROP_BUDGET: _drop,
    Act.ADD_SQUATTER: _add,
    Act.DROP_SQUATTER: _drop,
    Act.SET_IMAGE: _set_image,
    Act.DELETE_RELEASE: _delete_release,
    Act.ANNOTATE: _annotate,
    Act.AWAIT: _await,
    Act.SETTLE: _settle,
    Act.REFUSE: _refuse,
    Act.LOSE: _lose,
    Act.RESET: _reset,
    Act.SLOW: _slow,
    Act.KILL: lambda run, _: run.stage.operators.kill(),
    Act.STOP: lambda run, step: _errand(run, lambda: run.stage.operators.stop(step.value)),
    Act.DOUBLE: lambda run, _: _errand(run, run.stage.operators.double),
    Act.RESTART: lambda run, step: _errand(run, lambda: run.stage.restart(step.about)),
}
