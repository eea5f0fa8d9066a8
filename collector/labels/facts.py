"""What is known of a program when it gets its labels."""

from dataclasses import dataclass, field

from collector.labels.origin import Origin


@dataclass(frozen=True, slots=True)
class Container:
    """As its engine has it. `image` is without tag and digest; `image_id` begins with the name of
    the hash: sha256:… The pod is that which Kubernetes tells the engine. `labels` are those that a
    rule names, sorted, with underscores for what no label's name may have."""

    name: str = ""
    image: str = ""
    tag: str = ""
    image_id: str = ""
    pod: str = ""
    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """`workload` is the label of what made it, and its name. `labels` are those labels and
    annotations that a rule names, as `label_NAME` and `annotation_NAME`, sorted."""

    name: str = ""
    namespace: str = ""
    workload: tuple[str, str] = ("", "")
    service: str = ""
    version: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Equal facts have equal labels. `executable` is the name of a thread where it is not known."""

    executable: str
    build_id: str = ""
    kernel_thread: bool = False
    origin: Origin = field(default_factory=Origin)
    container: Container = field(default_factory=Container)
    pod: Pod = field(default_factory=Pod)
