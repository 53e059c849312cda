"""torchvision's data sets by name, from a folder that already holds them: ``CIFAR10=PATH``.

Nothing is downloaded: some of these are hundreds of gigabytes, and torchvision downloads them in
one line where that is wanted, which the message names.
"""

from __future__ import annotations

import inspect
from typing import Any

from lpa.datasets.from_dataset import source_of_parts
from lpa.datasets.source import Source, choose_splits
from lpa.errors import InputError, unknown
from lpa.user_paths import is_folder, user_path

__all__ = ["open_torchvision"]

SPLITS = ("train", "val", "valid", "validation", "test")


def open_torchvision(text: str, split: str | None) -> Source:
    """Open one of ``torchvision.datasets``.

    Parameters
    ----------
    text : str
        ``CIFAR10=PATH``: the class and its ``root``.
    split : str or None
        See :func:`lpa.datasets.source.choose_splits`.

    Raises
    ------
    InputError
        For an unknown name, a missing folder or split, or one that does not classify images.
    """
    name, _, root = text.partition("=")
    constructor = _constructor(name)
    if not root:
        raise InputError(
            f"torchvision:{name} needs the folder that holds it; write torchvision:{name}=PATH"
        )
    if not is_folder(user_path(root)):
        raise InputError(f"{root!r} does not exist; expected the folder that holds {name}")
    made = _parts(name, constructor, str(user_path(root)), split)
    return source_of_parts(name, made, f"torchvision:{name} in {root}")


def _constructor(name: str) -> Any:
    import torchvision

    known = {each.lower(): each for each in torchvision.datasets.__all__}
    if name.lower() not in known:
        raise unknown("torchvision data set", name, known.values())
    constructor = getattr(torchvision.datasets, known[name.lower()])
    required = [
        parameter.name
        for parameter in inspect.signature(constructor).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    if required != ["root"]:
        raise InputError(
            f"torchvision data set {name!r} needs {', '.join(required) or 'no folder'}; make it in "
            "Python and pass the object as data"
        )
    return constructor


def _parts(name: str, constructor: Any, root: str, split: str | None) -> dict[str, Any]:
    """Construct the chosen splits."""
    takes = inspect.signature(constructor).parameters
    made: dict[str, Any] = {}
    if "train" in takes:
        present = ["train", "test"]
        for part in choose_splits(present, split, name):
            made[part] = _construct(name, constructor, root, train=part == "train")
    elif "split" in takes:
        present = _accepted(constructor, root)
        for part in choose_splits(present, split, name):
            made[part] = _construct(name, constructor, root, split=part)
    else:
        for part in choose_splits(["all"], split, name):
            made[part] = _construct(name, constructor, root)
    return made


def _accepted(constructor: Any, root: str) -> list[str]:
    """Return the splits that the constructor knows; it tells only by refusing the others."""
    accepted = []
    for part in SPLITS:
        try:
            constructor(root, split=part)
        except ValueError:
            continue
        except (RuntimeError, OSError):
            pass
        accepted.append(part)
    return accepted


def _construct(name: str, constructor: Any, root: str, **options: Any) -> Any:
    try:
        return constructor(root, **options)
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f'torchvision:{name} is not in {root} ({reason}); download it with python -c "import '
            f'torchvision; torchvision.datasets.{constructor.__name__}({root!r}, download=True)", '
            "or give an image folder"
        ) from error
