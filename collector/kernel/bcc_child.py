"""Compiles and loads the sampling program with bcc, sends its descriptors home, and ends.

Run by whatever Python can import bcc, so it uses nothing newer than Python 3.5 and nothing of the
collector's. Its one argument is JSON: `socket` (a descriptor), `source`, `flags`, `maps`, `type`.
"""

import array
import json
import socket
import sys

NO_BCC = 3  # the exit code that says: try another Python


def main():  # type: () -> int
    request = json.loads(sys.argv[1])
    try:
        from bcc import BPF  # on PyPI, "bcc" is another project, without this name
    except ImportError:
        return NO_BCC
    module = BPF(src_file=request["source"].encode(), cflags=request["flags"])
    program = module.load_func("sample", request["type"])
    fds = [program.fd] + [module[name].map_fd for name in request["maps"]]
    home = socket.socket(fileno=request["socket"])
    home.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
