"""What every unit test runs under: shapes checked at every call, one thread, no network.

`JAXTYPING_DISABLE=1` (jaxtyping's own switch) turns the shape checks off.
"""

import importlib.util
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before anything of ours is imported: the hook rewrites modules as they load.
install_import_hook("encoder_course", "beartype.beartype")

NO_NETWORK = Path(__file__).parent / "no_network" / "sitecustomize.py"


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Refuse connections that leave the machine, with the guard that notebook kernels get."""
    spec = importlib.util.spec_from_file_location("no_network", NO_NETWORK)
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    return guard


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Keep torch on one thread: tensors here are tiny, and workers would fight over the cores."""
    import torch

    torch.set_num_threads(1)
