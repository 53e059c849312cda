"""``lpa augmentations``."""

from __future__ import annotations

import click

from .epilogs import examples
from .listings import echo_listing


@click.command(
    "augmentations",
    epilog=examples(
        "lpa augmentations",
        "lpa augmentations crop --format json",
    ),
)
@click.argument("pattern", default="*")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json is for programs.",
)  # fmt: skip
def command(pattern: str, form: str) -> None:
    """List augmentations with unit, identity and default grid.

    Any 2-D augmentation of Kornia works too:
    --aug 'kornia:RandomGaussianBlur(kernel_size=(9,9), sigma=({alpha},{alpha}))@0,1,2,4'
    """
    import lpa

    echo_listing("augmentation", lpa.list_augmentations(), pattern, form)
