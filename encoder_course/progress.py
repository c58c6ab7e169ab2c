"""Progress bars, shown where somebody is watching."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm


def track(iterable: Iterable | None = None, desc: str = "", show: bool = True, **options: Any):
    """A tqdm bar, silent when `show` is False or the environment says ``TQDM_DISABLE=1``.

    tqdm itself forgets the environment as soon as `disable` is passed, even as False, which its
    bar for notebooks always does; notebooks that are executed for the record rely on it.
    """
    if not show or os.environ.get("TQDM_DISABLE", "0") not in ("", "0"):
        options["disable"] = True
    return tqdm(iterable, desc=desc, **options)
