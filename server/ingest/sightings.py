"""Which versions of which programs a batch is of."""

from collections.abc import Mapping
from dataclasses import dataclass

from profiler.wire import DecodedBatch
from server.store.catalog import SERVICE
from server.store.deploys import Program, Version

_DIGITS = 12
"""Of a build-id that a collector takes for a version."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a host was seen to run, with the revision of each, "" where it has none; `place` is
    that of the batch among the others."""

    host_name: str
    t_ns: int
    place: int
    versions: Mapping[Version, str]


def versions(batch: DecodedBatch) -> dict[Version, str]:
    """Those that have samples in it."""
    found: dict[Version, str] = {}
    for profile in batch.profiles:
        labels = dict(profile.labels)
        if len(profile.stacks) and (version := version_of(labels)):
            found[version] = found.get(version) or labels.get("vcs_ref_head_revision", "")
    return found


def version_of(labels: Mapping[str, str]) -> Version | None:
    """Failing a version that somebody gave, the build of the executable."""
    service, name = labels.get(SERVICE, ""), labels.get("service_version", "")
    environment = labels.get("deployment_environment_name", "")
    build = labels.get("process_executable_build_id_gnu", "")[:_DIGITS]
    if service and name and name != build:
        return Version(Program(service, environment, ""), name)
    executable = labels.get("process_executable_name", "")
    if service and build and executable:
        return Version(Program(service, environment, executable), build)
    return None
