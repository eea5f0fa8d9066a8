"""The labels of a process's series."""

from collector.processes.cache import Process
from profiler.model import Labels

KERNEL = "kernel"


def process_labels(host_name: str, process: Process, thread_name: str) -> Labels:
    """`host_name`, `process_executable_name` and `service_name`, sorted.

    Kernel threads are one service, `kernel`. A process that was gone before anyone looked has
    no executable's name left; the name of the sampled thread stands in for it.
    """
    name = KERNEL if process.kernel_thread else process.executable or thread_name
    return (
        ("host_name", host_name),
        ("process_executable_name", name),
        ("service_name", name),
    )
