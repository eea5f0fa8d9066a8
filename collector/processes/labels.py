"""The labels of a process's series."""

from collector.processes.cache import Process
from profiler.model import Labels

KERNEL = "kernel"


def process_labels(host_name: str, process: Process, thread_name: str) -> Labels:
    """`host_name`, `process_executable_name` and `service_name`, sorted.

    Kernel threads are one service, `kernel`. A process that was gone before anyone looked has
    no executable's name left; the name of the sampled thread stands in for it.
    """
    name = process.executable or process.comm or thread_name
    if process.kernel_thread:
        name = KERNEL
    return (
        ("host_name", host_name),
        ("process_executable_name", name),
        ("service_name", name),
    )
