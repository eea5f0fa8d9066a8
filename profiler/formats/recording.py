"""Our own: batches as a collector sends them, each after its length; nothing of a profile is lost.

    $ profiler collect --to node.pb        $ profiler convert node.pb node.folded

Types and labels from elsewhere are called as selectors can spell them: `service.name` is
`service_name`.

See `profiler.wire.recording` and proto/profiler/v1/ingest.proto.
"""

import io
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from profiler import wire
from profiler.analysis import tree
from profiler.errors import FormatError, UsageError
from profiler.formats import limits
from profiler.model import Drain, Labels, Profile, ProfileBuilder, ProfileType
from profiler.wire.limits import COUNT, LABEL_BYTES, MESSAGE_BYTES, NAME_BYTES

_NOBODY = bytes(16)
"""The collector of what no collector took."""

_OTHER = re.compile(r"[^A-Za-z0-9_]")

PARTS = 64
"""Profiles of a series that are kept apart until they are merged."""


def dumps(profile: Profile) -> bytes:
    """The profile as one batch; equal profiles give equal bytes."""
    return dumps_all([profile])


def dumps_all(profiles: Sequence[Profile]) -> bytes:
    """A batch of each profile. Raises UsageError for one that is too large for a batch."""
    file = io.BytesIO()
    for number, profile in enumerate(profiles, 1):
        if max(profile.total_samples, profile.total_value) >= COUNT:
            raise UsageError("the sums of the profile exceed a batch: choose a shorter range")
        batch = wire.encode(_drain(profile), _NOBODY, number)
        if batch.ByteSize() > MESSAGE_BYTES:
            raise UsageError("the profile is too large for a batch: choose a shorter range")
        wire.write_batch(file, batch)
    return file.getvalue()


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is one: a length, then the id of a collector."""
    size = next((size for size, byte in enumerate(head[:5], 1) if byte < 0x80), 0)
    return size > 0 and head[size : size + 2] == b"\x0a\x10"


def loads(data: bytes) -> Profile:
    """All profiles of the first one's type, merged. Raises FormatError."""
    profiles = loads_all(data)
    return tree.merge(profile for profile in profiles if profile.type == profiles[0].type)


def loads_all(data: bytes) -> list[Profile]:
    """A profile of every type and set of labels in the recording. Raises FormatError."""
    limits.check_size(data)
    series: defaultdict[tuple[ProfileType, Labels], list[Profile]] = defaultdict(list)
    type = None
    for number, batch in enumerate(wire.read_batches(io.BytesIO(data))):
        try:
            drain = wire.decode(batch)
        except FormatError as error:
            raise FormatError(f"batch {number}: {error}") from None
        type = type or drain.type
        for profile in drain.profiles:
            parts = series[profile.type, profile.labels]
            parts.append(profile)
            if len(parts) > PARTS:
                parts[:] = [tree.merge(parts)]
    if type is None:
        raise FormatError("a recording without a batch")
    return [tree.merge(parts) for parts in series.values()] or [ProfileBuilder().build(type)]


def type_of(profile: Profile) -> ProfileType:
    """As batches name it."""
    type = profile.type
    return ProfileType(_name(type.name) or "samples", _name(type.unit) or "count")


def labels_of(profile: Profile) -> Labels:
    """As batches name them."""
    named = {_name(name): value[:LABEL_BYTES] for name, value in profile.labels}
    return tuple(sorted((name, value) for name, value in named.items() if name))


def _name(text: str) -> str:
    name = _OTHER.sub("_", text)[:NAME_BYTES]
    return f"_{name}"[:NAME_BYTES] if name[:1].isdigit() else name


def _drain(profile: Profile) -> Drain:
    profile = replace(profile, type=type_of(profile), labels=labels_of(profile))
    return Drain(
        host_name=dict(profile.labels).get("host_name", ""),
        start_ns=profile.start_ns,
        duration_ns=profile.duration_ns,
        taken=profile.total_samples,
        profiles=(profile,),
        type=profile.type,
    )
