"""The collector's commands, which run in one thread until they start others themselves.

OpenBLAS, which comes with numpy, starts one for each CPU when it is loaded. Nothing here multiplies
matrices, and a thread keeps the privileges that the one which started it gives up later.
"""

import os

_VARIABLE = "OPENBLAS_NUM_THREADS"
_given = os.environ.get(_VARIABLE)
os.environ[_VARIABLE] = "1"
import numpy as _  # noqa: E402, F401

# A command that is recorded is not told.
if _given is None:
    del os.environ[_VARIABLE]
else:
    os.environ[_VARIABLE] = _given
