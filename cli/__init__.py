"""The command line: click commands, one file each, that call the public names of ``lpa``.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from .memory import lack_of_memory
from .signals import STOPPED

__all__ = ["main"]

COMMANDS = {
    "scan": "scan",
    "train-sweep": "train_sweep",
    "probe": "probe",
    "show": "show",
    "curves": "curves",
    "rank": "rank",
    "compare": "compare",
    "test": "test",
    "policy": "policy",
    "gate": "gate",
    "report": "report",
    "view": "view",
    "figure": "figure",
    "export": "export",
    "import": "import_",
    "models": "models",
    "datasets": "datasets",
    "augmentations": "augmentations",
    "regularizers": "regularizers",
}
"""Command -> module in this package that has it as ``command``, in the order of the help."""


class Commands(click.Group):
    """Imports a command's module when it is asked for, and translates errors in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None for an unknown one."""
        if name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"lpa_cli.{COMMANDS[name]}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what a user can mend becomes one line and exit status 1."""
        try:
            return self._invoked(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise  # It is said already.
        except Exception as error:
            reason = lack_of_memory(error)
            if reason is None:
                raise
        click.echo(
            f"Error: there is not enough memory ({reason}); what was finished is kept: free some, "
            "or give a smaller --batch-size or fewer --workers, and run the same command again",
            err=True,
        )
        return ctx.exit(1)

    def _invoked(self, ctx: click.Context) -> Any:
        from lpa import InputError

        try:
            return super().invoke(ctx)
        except InputError as error:
            click.echo(f"Error: {error}" if error.is_failure else str(error), err=True)
            ctx.exit(1 if error.is_failure else STOPPED)
        except KeyboardInterrupt:
            click.echo("Error: interrupted; the same command goes on from what is stored", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            # The reader of our output (head, less) has gone; nothing is left to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lpa")
def main() -> None:
    """Find out which classes pay for an augmentation.

    Scans pretrained models over augmentation strengths and shows, class by class, where the
    augmentation stops preserving labels.
    """
