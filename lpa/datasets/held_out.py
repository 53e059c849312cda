"""Which images are held out from training, by class and by key alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["held_out"]


def held_out(
    labels: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64], share: float
) -> npt.NDArray[np.bool_]:
    """Choose the images to hold out from training.

    Parameters
    ----------
    labels : array of int64, shape [N]
    keys : array of uint64, shape [N]
        The images' keys; the lowest of each class are held out.
    share : float
        Share of each class, in [0, 1); 0: none. At least one image of a class that has two or
        more different ones, and never all of them: a class with one image is trained on.

    Returns
    -------
    array of bool, shape [N]
        Copies of one image stand on the same side; a class whose only images are copies of ones
        held out from another class is trained on all the same.
    """
    chosen: list[npt.NDArray[np.uint64]] = []
    for label in np.unique(labels) if share > 0 else ():
        own = np.unique(keys[labels == label])
        if len(own) > 1:
            chosen.append(own[: min(max(int(len(own) * share + 0.5), 1), len(own) - 1)])
    if not chosen:
        return np.zeros(len(labels), dtype=bool)
    out = np.isin(keys, np.concatenate(chosen))
    trained = np.unique(labels[~out])
    return out & np.isin(labels, trained)
