"""Real programs for the benchmarks to sample."""

from tests.bench.workloads import brief, native, runtimes, services
from tests.bench.workloads.workload import MissingError, Workload

__all__ = ["MissingError", "Workload", "all_workloads"]


def all_workloads() -> list[Workload]:
    modules = (native, runtimes, services, brief)
    return [workload for module in modules for workload in module.workloads()]
