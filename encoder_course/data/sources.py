"""Which installed packages to read, and the files that belong to each, without importing any."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

STANDARD_LIBRARY = "python"  # how the standard library is called among package names

# Import names with documentation in real English; those not installed are reported and skipped.
# What only the course's own tests need is left out, so that learners read what its authors read.
DEFAULT_PACKAGES: tuple[str, ...] = (
    STANDARD_LIBRARY,
    *("numpy", "scipy", "pandas", "sklearn", "matplotlib", "mpl_toolkits", "sympy", "mpmath"),
    *("networkx", "statsmodels", "seaborn", "xarray", "skimage", "PIL", "joblib", "narwhals"),
    *("torch", "transformers", "tokenizers", "accelerate", "safetensors", "huggingface_hub"),
    *("sentence_transformers", "datasets", "peft", "lancedb", "pyarrow", "seqeval", "jaxtyping"),
    *("IPython", "ipykernel", "ipywidgets", "traitlets", "jupyter_client", "jupyter_core"),
    *("jupyter_server", "jupyterlab", "nbformat", "nbclient", "nbconvert", "nbgrader", "tornado"),
    *("zmq", "tqdm", "fsspec", "requests", "urllib3", "httpx", "anyio", "pydantic", "attr"),
    *("click", "typer", "rich", "jinja2", "pygments", "prompt_toolkit", "pexpect", "jedi"),
    *("parso", "packaging", "platformdirs", "fontTools"),
    *("pyparsing", "dateutil", "bs4", "lark", "psutil", "jsonschema", "referencing", "arrow"),
    *("markdown_it", "mistune", "charset_normalizer", "sqlalchemy", "dask", "sphinx"),
)

# Tests repeat and break what they test; vendored copies belong to another package.
SKIPPED_FOLDERS = frozenset(
    "test tests testing _testing idle_test __pycache__ site-packages dist-packages lib2to3 "
    "_vendor _vendored vendor vendored_packages third_party externals _bundled turtledemo "
    "node_modules".split()
)


@dataclass(frozen=True)
class Package:
    """An installed package: its import name, its version and where its files lie."""

    name: str
    version: str
    root: Path

    def files(self) -> Iterator[tuple[str, Path]]:
        """(qualified module name, path) of each Python file, tests excepted, in a fixed order."""
        prefix = () if self.name == STANDARD_LIBRARY else (self.name,)
        if self.root.suffix == ".py":
            yield self.name, self.root
            return
        for folder, subfolders, names in os.walk(self.root):
            subfolders[:] = sorted(
                sub for sub in subfolders if sub not in SKIPPED_FOLDERS and "." not in sub
            )
            parts = prefix + Path(folder).relative_to(self.root).parts
            for name in sorted(names):
                stem = name.removesuffix(".py")
                if stem == name or stem.startswith("test_") or stem == "conftest":
                    continue
                yield ".".join(parts if stem == "__init__" else (*parts, stem)), Path(folder, name)


def find_packages(names: Iterable[str]) -> tuple[list[Package], list[str]]:
    """(packages found, names not found). Looks names up on sys.path and executes none of them."""
    distributions = importlib.metadata.packages_distributions()
    found, missing = [], []
    for name in dict.fromkeys(names):
        root = _root(name)
        if root is None:
            missing.append(name)
        else:
            found.append(Package(name, _version(name, distributions), root))
    return found, missing


def _root(name: str) -> Path | None:
    if name == STANDARD_LIBRARY:
        root = Path(sysconfig.get_path("stdlib"))
        return root if root.is_dir() else None
    if not name.isidentifier():
        raise ValueError(f"package names are import names, such as 'sklearn', but got {name!r}")
    try:
        # An imported module may carry no spec; a top-level name executes nothing when looked up.
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = importlib.machinery.PathFinder.find_spec(name, sys.path)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(list(spec.submodule_search_locations)[0])
    origin = Path(spec.origin or "")
    return origin if origin.suffix == ".py" else None


def _version(name: str, distributions: dict[str, list[str]]) -> str:
    if name == STANDARD_LIBRARY:
        return platform.python_version()
    try:
        return importlib.metadata.version(distributions.get(name, [name])[0])
    except importlib.metadata.PackageNotFoundError:
        return "unversioned"
