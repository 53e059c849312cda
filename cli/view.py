"""``lpa view``: the report in a browser, from this machine or through ssh."""

from __future__ import annotations

import signal

import click

from .epilogs import examples

__all__ = ["command"]


@click.command(
    "view",
    short_help="Serve the report to this machine alone.",
    epilog=examples(
        "lpa view RUN",
        "lpa view RUN --port 0",
    ),
)
@click.argument("runs", type=click.Path(), nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
    help="Port on the loopback address; 0 for any free one.",
)  # fmt: skip
def command(runs: tuple[str, ...], port: int) -> None:
    """Make the report of a run and serve it to this machine alone, until Ctrl-C.

    RUN is the folder of a run, or several. From another machine: ssh -L PORT:127.0.0.1:PORT HOST,
    then open the address there.
    """
    import lpa

    # A job that is ended takes its page with it, whenever the signal comes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = None
    try:
        first, *beside = [lpa.open(run) for run in runs]
        server = first.view(port, beside)
        click.echo(server.address)
        tunnel = f"ssh -L {server.port}:127.0.0.1:{server.port} HOST"
        click.echo(f"Ctrl-C ends it; from another machine: {tunnel}", err=True)
        server.serve()
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    finally:
        if server is not None:
            server.close()
