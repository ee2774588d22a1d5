"""The command line of s2pg with environments of Python: `python -m s2pg train ppo-rs/pendulum env.name=gym:Pendulum-v1`."""

import signal
import sys

from . import _s2pg
from ._envs import Source


def _workers(args):
    """Takes the option --workers out of the arguments."""
    rest, workers, args = [], 0, iter(args)
    for arg in args:
        if arg == "--workers" or arg.startswith("--workers="):
            text = next(args, "") if arg == "--workers" else arg.partition("=")[2]
            if not text.isdecimal():
                sys.exit(f"s2pg: --workers is `{text}`; give a whole number")
            workers = int(text)
        else:
            rest.append(arg)
    return rest, workers


def main():
    args, workers = _workers(sys.argv[1:])
    # The command line has its own answers to signals.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with Source(workers=workers) as source:
        code = _s2pg.main(args, source)
    sys.exit(code)


if __name__ == "__main__":
    main()
