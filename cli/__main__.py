"""``python -m lpa_cli``: the command, for launchers that start modules (``torchrun -m``)."""

from . import main

if __name__ == "__main__":
    main(prog_name="lpa")
