"""Gives processes their labels, which are those of the series that their samples are in.

labeller = Labeller(Labelling("node-a"), ProcFs())
labeller.begin_drain()
labeller.labels(process, "worker-3")
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collector.labels import environment, series
from collector.labels.builds import Builds
from collector.labels.cgroup import Cgroup
from collector.labels.containers import SOCKETS, Containers
from collector.labels.environment import attributes
from collector.labels.facts import Facts, Pod
from collector.labels.host import host_labels
from collector.labels.kubelet import Access
from collector.labels.origin import Origin, OriginReader, Wanted
from collector.labels.podlist import PodList
from collector.labels.rules import CONTAINER_LABEL, ENVIRONMENT, LABEL, POD, RESOURCE, Rules
from collector.labels.series import Series
from collector.labels.service import OTHER, labels_of
from collector.processes.bounded import Bounded
from collector.processes.cache import Process
from collector.processes.procfs import ProcFs
from profiler.model import Labels
from profiler.selector import Matcher
from profiler.wire import limits

MAX_FACTS = 4096
"""Programs whose labels are remembered, some 1.5 KiB each."""
MAX_VALUE = limits.LABEL_BYTES // 4
"""Characters, so that none is cut on the wire, where two series could become one."""

COMMAND_LINE = "__command_line"
UID = "__uid"
SETTLE_SECONDS = 0.2
"""At the start of a drain, for the containers that are new in it; Docker takes some ms for one."""
META: Mapping[str, Callable[[Facts], str]] = {
    COMMAND_LINE: lambda facts: facts.origin.command_line,
    UID: lambda facts: facts.origin.uid,
    "__cgroup": lambda facts: facts.origin.cgroup.path,
    "__systemd_unit": lambda facts: facts.origin.cgroup.unit,
    "__container_id": lambda facts: facts.origin.cgroup.container_id,
    "__container_runtime": lambda facts: facts.origin.cgroup.runtime,
    "__container_image_id": lambda facts: facts.container.image_id,
    "__k8s_pod_uid": lambda facts: facts.origin.cgroup.pod_uid,
}
"""Labels for rules alone, beside `__environment_NAME`, `__resource_NAME` and
`__container_label_NAME`, `__pod_label_NAME` and `__pod_annotation_NAME`."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """How processes get their labels. `pods` is a file or URL, "" where there is no cluster. Whose
    labels `matchers` do not match is left out."""

    host_name: str
    rules: Rules = field(default_factory=Rules)
    max_series: int = series.MAX_SERIES
    engine_sockets: tuple[Path, ...] = SOCKETS
    pods: str = ""
    pods_access: Access = field(default_factory=Access)
    matchers: tuple[Matcher, ...] = ()


class Labeller:
    """Remembers the labels of what it has seen. `origins` reads what it needs of new processes, and
    has `containers` and `pods` ask for theirs."""

    def __init__(self, labelling: Labelling, proc: ProcFs) -> None:
        self._rules = labelling.rules
        self._matchers = labelling.matchers
        self._host = host_labels(labelling.host_name)
        self._builds = Builds(proc.root)
        self._known: Bounded[Facts, tuple[Labels | None]] = Bounded(MAX_FACTS, lambda known: 1)
        other = {"host_name": labelling.host_name, "service_name": OTHER}
        self._series = Series(_sorted(other), labelling.max_series)
        wanted = Wanted(
            environment.NAMES | self._rules.variables(),
            self._names_variable if self._rules.map_variables else None,
            self._rules.names(COMMAND_LINE),
            self._rules.names(UID),
        )
        self.containers = Containers(
            labelling.engine_sockets, lambda name: self._rules.names(CONTAINER_LABEL + name)
        )
        self.pods: PodList | None = None
        if labelling.pods:
            self.pods = PodList(
                labelling.pods, labelling.pods_access, lambda name: self._rules.names(POD + name)
            )
        self.origins = OriginReader(proc, wanted, self._seen)

    @property
    def other(self) -> Labels:
        """Of the series of all that has no place in a drain."""
        return self._series.other

    def begin_drain(self, settle_seconds: float = SETTLE_SECONDS) -> None:
        self._builds.begin_drain()
        self._series.begin_drain()
        self.containers.settle(settle_seconds)
        if self.pods:
            self.pods.settle(settle_seconds)

    def close(self) -> None:
        self.containers.close()
        if self.pods:
            self.pods.close()

    def labels(self, process: Process, thread_name: str) -> Labels | None:
        """None: its samples are not wanted. A process that was gone before anyone looked has no
        executable's name left; the name of the sampled thread stands in for it."""
        labels = self._wanted(process, thread_name)
        return None if labels is None else self._series.admit(labels)

    def excludes(self, process: Process) -> bool:
        """Whether a rule or a matcher leaves the process out."""
        return bool(self._rules.rules or self._matchers) and self._wanted(process, "") is None

    def _wanted(self, process: Process, thread_name: str) -> Labels | None:
        facts = self._facts(process, thread_name)
        known = self._known.get(facts)
        if known is None:
            known = self._known[facts] = (self._labels(facts),)
        return known[0]

    def _facts(self, process: Process, thread_name: str) -> Facts:
        if process.kernel_thread:
            return Facts("", kernel_thread=True)
        name = process.executable or process.comm or thread_name
        origin = process.origin or Origin()
        container = self.containers.get(origin.cgroup.container_id)
        pod = Pod()
        if self.pods:
            self.pods.ask(origin.cgroup)  # again: it may have run before it was on the list
            pod = self.pods.get(origin.cgroup.pod_uid)
            if not container.name:
                container = self.pods.container(origin.cgroup.container_id)
        return Facts(name, self._builds.of(process), False, origin, container, pod)

    def _seen(self, cgroup: Cgroup) -> None:
        """A process was found in a container."""
        self.containers.ask(cgroup)
        if self.pods:
            self.pods.ask(cgroup)

    def _names_variable(self, name: str) -> bool:
        return self._rules.names(ENVIRONMENT + name)

    def _labels(self, facts: Facts) -> Labels | None:
        labels = self._rules.apply({**self._host, **_given(labels_of(facts)), **self._meta(facts)})
        if labels is None or not all(
            matcher.matches(labels.get(matcher.name, "")) for matcher in self._matchers
        ):
            return None
        return _sorted(labels)

    def _meta(self, facts: Facts) -> dict[str, str]:
        """What rules name of what is for them alone."""
        if not self._rules.rules:
            return {}
        variables = dict(facts.origin.environment)
        meta = {name: find(facts) for name, find in META.items()}
        for name, value in attributes(variables).items():
            meta[RESOURCE + name.replace(".", "_")] = value
        meta |= {CONTAINER_LABEL + name: value for name, value in facts.container.labels}
        meta |= {POD + name: value for name, value in facts.pod.labels}
        named = {name: value for name, value in meta.items() if self._rules.names(name)}
        for name, value in variables.items():
            if self._names_variable(name):
                named[ENVIRONMENT + name] = value
        return _given(named)


def _given(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _sorted(labels: Mapping[str, str]) -> Labels:
    """As the wire takes them: a rule may have mapped any number of them."""
    named = sorted(name for name in labels if LABEL.fullmatch(name))[: limits.LABELS]
    return tuple((name, _cut(labels[name])) for name in named)


def _cut(value: str) -> str:
    return value if len(value) <= MAX_VALUE else value[: MAX_VALUE - 1] + "…"
