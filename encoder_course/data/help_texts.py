"""What `help()` says of the things you import: one short text for each public object."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from encoder_course.data.clean import clean
from encoder_course.data.corpus import Document
from encoder_course.data.sections import LEAD, split_sections
from encoder_course.data.sources import STANDARD_LIBRARY, find_packages

# Modules, whose functions and classes count, and classes, whose methods count, by package. Where
# several offer the same object, the first one names it.
PUBLIC_PLACES: Mapping[str, tuple[str, ...]] = {
    STANDARD_LIBRARY: tuple(
        "builtins builtins.str builtins.list builtins.dict builtins.set argparse asyncio base64"
        " argparse.ArgumentParser bisect calendar collections collections.Counter collections.deque"
        " concurrent.futures configparser contextlib copy csv dataclasses datetime datetime.date"
        " datetime.datetime decimal difflib enum fractions functools getpass glob gzip hashlib"
        " heapq html io itertools json logging math mimetypes operator os os.path pathlib"
        " pathlib.Path pickle platform pprint queue random re secrets shlex shutil sqlite3 string"
        " statistics struct subprocess subprocess.Popen tarfile tempfile textwrap threading timeit"
        " time traceback typing unicodedata unittest urllib.parse urllib.request uuid warnings"
        " weakref webbrowser xml.etree.ElementTree zipfile zipfile.ZipFile zlib zoneinfo".split()
    ),
    "numpy": tuple(
        "numpy numpy.ndarray numpy.linalg numpy.random numpy.random.Generator numpy.fft".split()
    ),
    "pandas": tuple(
        "pandas pandas.DataFrame pandas.Series pandas.Series.str pandas.Series.dt"
        " pandas.api.typing.DataFrameGroupBy pandas.plotting".split()
    ),
    "torch": tuple(
        "torch torch.Tensor torch.nn torch.nn.Module torch.nn.functional torch.nn.init"
        " torch.nn.utils torch.nn.utils.rnn torch.optim torch.optim.lr_scheduler torch.utils.data"
        " torch.autograd torch.linalg torch.fft".split()
    ),
    "matplotlib": ("matplotlib.pyplot", "matplotlib.axes.Axes", "matplotlib.animation"),
    "sklearn": tuple(
        f"sklearn.{name}"
        for name in "cluster compose datasets decomposition ensemble feature_extraction.text"
        " feature_selection impute linear_model manifold metrics metrics.pairwise mixture"
        " model_selection naive_bayes neighbors neural_network pipeline preprocessing svm"
        " tree".split()
    ),
}

OPENING_LINES = 30  # of a docstring hold its first paragraph; the rest need not be parsed
_SIGNATURE = re.compile(r"^[\w.]+\([^\n]*\)(?:\s*->[^\n]*)?\n+(?=\S)")
_POINTER = re.compile(
    r"(?:see|alias (?:for|of)|(?:in|out)-place version of|refer to|same as)\b", re.I
)


def help_texts(places: Mapping[str, Iterable[str]] = PUBLIC_PLACES) -> list[Document]:
    """The first paragraph on each function, class and method, under the name it is called by.

    Python itself is asked, so compiled objects (`len`, `numpy.exp`) have their texts too, and
    names are public: `pandas.DataFrame.head`, wherever the code of `head` lies. The price is that
    the modules are imported, which `python_docs` never does. What is not installed is left out, as
    are texts that only point elsewhere ("See torch.add"). An object with several names, and a text
    that a package repeats, come once.
    """
    packages, _ = find_packages(places)
    documents: dict[tuple[str, str], Document] = {}
    for package in packages:
        given: set[int] = set()
        for name, value in _members_of_all(places[package.name]):
            text = "" if id(value) in given else first_paragraph(inspect.getdoc(value) or "")
            given.add(id(value))
            if text and not _POINTER.match(text):
                kind = "class" if inspect.isclass(value) else "function"
                origin = (package.name, package.version, name, kind, "summary")
                documents.setdefault((package.name, text), Document(*origin, text))
    return list(documents.values())


def first_paragraph(docstring: str) -> str:
    """What comes before the first blank line of prose, a leading signature left out."""
    opening = "\n".join(docstring.splitlines()[:OPENING_LINES])
    lead = split_sections(_SIGNATURE.sub("", opening))[LEAD].lines
    return next(iter(clean(lead).paragraphs), "")


def _members_of_all(places: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """(name, object) for what the places offer, in the order in which it is defined there."""
    for place in places:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some deprecated names warn when looked at
            owner = _find(place)
        prefix = f"{place}.".removeprefix("builtins.")
        members = _of_module(owner) if inspect.ismodule(owner) else _of_class(owner)
        yield from ((prefix + name, value) for name, value in members)


def _find(place: str) -> Any:
    """The module or class of that name, or None."""
    module, _, attribute = place.rpartition(".")
    try:
        return importlib.import_module(place)
    except ImportError:
        return getattr(_find(module), attribute, None) if module else None


def _of_module(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Public functions and classes; without `__all__`, those that were not imported into it."""
    declared = getattr(module, "__all__", None)
    for name, value in list(vars(module).items()):  # the order of `__all__` may come from a set
        if not callable(value) or name.startswith("_"):
            continue
        if name in declared if declared is not None else _is_at_home(value, module.__name__):
            yield name, value


def _is_at_home(value: Any, module: str) -> bool:
    """Whether an object was made for this module: in it, below it, or in a compiled half of it."""
    home = getattr(value, "__module__", None) or module
    compiled = any(part.startswith("_") for part in home.split("."))
    made_public = (home, module) == ("io", "builtins")  # `open`
    return compiled or made_public or f"{home}.".startswith(f"{module}.")


def _of_class(owner: Any) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, inherited ones included."""
    for base in inspect.getmro(owner) if inspect.isclass(owner) else ():
        for name, value in list(vars(base).items()):
            described = inspect.isroutine(value) or inspect.isdatadescriptor(value)
            if described and not name.startswith("_"):
                yield name, value
