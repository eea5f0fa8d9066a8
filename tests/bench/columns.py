"""A profile of columns of long stacks beside each other, so that as many boxes as can be are in
view."""

import random

from profiler.model import Frame, Profile, ProfileBuilder
from tests.builders import PERIOD_NS

DEPTH = 27
"""20,000 nodes are then 740 columns: 1.7 pixels each on a small screen, none too thin."""


def columns(nodes: int) -> Profile:
    choose = random.Random(1)
    frames = [Frame(f"checkout::Step{n}::run(int)", binary=f"lib{n % 50}.so") for n in range(5000)]
    builder = ProfileBuilder()
    count = nodes // DEPTH
    for column in range(count):
        trunk = [frames[column * 2 // count], frames[column // 9]]
        stack = trunk + choose.choices(frames, k=DEPTH)
        samples = choose.randint(1, 9)
        builder.add(stack, samples, samples * PERIOD_NS)
    labels = (("host_name", "c"), ("service_name", "dense"))
    return builder.build(period=PERIOD_NS, labels=labels)
