"""The server's commands. Nothing in them multiplies matrices, but OpenBLAS, which comes with numpy,
starts a thread for each CPU when it is loaded, and these spin before they sleep."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
