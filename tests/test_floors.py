"""A module imports only from floors below its own, and nothing of this machine is in the files."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "encoder_course"

# From the ground up; within a floor, modules of one sub-package may import each other.
FLOORS = [
    ["shapes", "config", "repro", "progress"],
    ["text"],
    ["data"],
    ["nn"],
    ["hf"],
    ["pretrain"],
    ["tasks"],
    ["viz"],
    ["microscope"],
    ["check"],
    ["labs"],
    ["grade"],
    ["command", "doctor", "notebooks", "__main__"],
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
# Standard library only, so any floor may stand on them.
GROUND = {"bootstrap"}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "weights" not in path.parts)


def part(module: str) -> str:
    """The part of the package that a dotted name belongs to: encoder_course.nn.block -> nn.

    A module called `command` is the command line over its sub-package, and stands on the top floor.
    """
    names = module.split(".")[1:]
    return "command" if names[1:2] == ["command"] else names[0]


def imports(source: str) -> list[str]:
    """Every module that a source imports, anywhere in it, as absolute dotted names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno} imports relatively")
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def trespasses(name: str, source: str) -> list[str]:
    """What a module of part `name` imports of ours and may not."""
    used = {part(module) for module in imports(source) if module.startswith("encoder_course.")}
    if name in GROUND:
        return sorted(used)
    floor = FLOOR[name]
    return sorted(other for other in used - GROUND - {name} if FLOOR.get(other, 0) >= floor)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_stands_on_lower_floors(path):
    name = part(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    if name == "__init__":
        assert not imports(path.read_text(encoding="utf-8"))
        return
    assert name in FLOOR or name in GROUND, f"{name} has no floor"
    assert trespasses(name, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("text", "from encoder_course.nn.block import Block", ["nn"]),
        ("nn", "def late():\n    import encoder_course.pretrain.loop", ["pretrain"]),
        ("nn", "from encoder_course import viz", ["viz"]),
        ("viz", "from encoder_course.check.base import Exercise", ["check"]),
        ("shapes", "from encoder_course.config import EncoderConfig", ["config"]),
        ("pretrain", "from encoder_course.pretrain.command import main", ["command"]),
        ("bootstrap", "from encoder_course.config import EncoderConfig", ["config"]),
        ("pretrain", "from encoder_course.nn import MaskedLM\nimport encoder_course.hf", []),
    ],
)
def test_an_import_from_above_is_found(name, source, found):
    assert trespasses(name, source) == found


def test_a_relative_import_is_refused():
    with pytest.raises(ValueError, match="relatively"):
        imports("from .nn import Encoder")


def test_only_hf_imports_transformers():
    for path in MODULES:
        if path.name != "hf.py":
            roots = {name.split(".")[0] for name in imports(path.read_text(encoding="utf-8"))}
            assert "transformers" not in roots, path


def test_heavy_packages_wait_until_a_function_needs_them():
    heavy = {"transformers", "datasets", "matplotlib", "ipywidgets", "anywidget", "accelerate"}
    heavy |= {"nbgrader", "nbformat", "nbconvert", "dask", "distributed", "sqlalchemy", "IPython"}
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tops = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        roots = {name.split(".")[0] for node in tops for name in imports(ast.unparse(node))}
        assert not roots & heavy, path


def test_bootstrap_needs_nothing_installed():
    import sys

    roots = {name.split(".")[0] for name in imports((PACKAGE / "bootstrap.py").read_text())}
    assert roots <= sys.stdlib_module_names


# Written in pieces, so that this file does not hold what it looks for.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"pypi\.(?:org|python)",
            r"pythonhosted",
            r"download\.pytorch",
            r"registry\.npm",
            r"conda\.anaconda",
            r"/(?:root|work|opt)/(?=\w)",
            r"(?<![\w.])/home/\w+/",
            r"file:///",
        ]
    )
)


def test_no_file_names_a_registry_or_a_path_of_one_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path == Path(__file__) or not path.exists() or path.suffix == ".safetensors":
            continue
        text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text("utf-8", errors="replace"))
        found = FORBIDDEN.search(text)
        assert found is None, f"{name} holds {found.group()}"
