"""Set the course up in its own virtual environment, then open it, test it or clean it away.

    python3 encoder_course/bootstrap.py course
    py encoder_course\\bootstrap.py course            on Windows

Standard library only, because it runs before anything is installed. Whatever it runs first brings
`.venv` up to date, which takes no time when nothing has changed: a stamp in `.venv` holds a hash of
pyproject.toml, constraints.txt, the Python version and this folder's place, and is written only
when a set-up has come to its end, so that an interrupted one is taken up again.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "constraints.txt"
FIRST_NOTEBOOK = "notebooks/00_start_here.ipynb"

OLDEST_PYTHON = (3, 11)
OLDEST_PIP = (23, 2)  # older ones download whole wheels for a dry run
TORCH = "torch==2.13.0"
CUDA_PACKAGE = re.compile(r"nvidia|cuda|triton")
EXTRAS = {"course": "course", "test": "course,dev"}

# What tests and notebooks run under: no hub, no progress bars.
QUIET = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
NO_NETWORK = ROOT / "tests" / "no_network"

CUDA_REFUSED = f"""
No CPU build of {TORCH} was found, and the build that pip would install brings several GB of CUDA.
Do one of these, then run the same command again:
  with the CUDA build   make course TORCH=cuda      (or: bootstrap.py course --torch cuda)
  with a wheel of yours set PIP_FIND_LINKS to the folder that holds a CPU wheel of torch
  with a torch of yours {PYTHON} -m pip install THE_WHEEL
"""


class SetupError(Exception):
    """The set-up cannot go on; the message says what the user can do."""


def run(*command, check=True, env=None):
    """Run a command from the course's folder and return its exit status."""
    merged = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(env or {})}
    status = subprocess.run([str(part) for part in command], cwd=ROOT, env=merged).returncode
    if check and status:
        words = " ".join(str(part) for part in command)
        raise SetupError(f"This command failed with status {status}:\n  {words}")
    return status


def say(text):
    print(f"[course] {text}", flush=True)


# The environment


def ensure_venv():
    """Create `.venv`, or create it anew where it is broken: half made, or its Python gone."""
    if _answers("-c", "import pip") is not None:
        return
    say(f"creating {VENV} with Python {sys.version.split()[0]}")
    # --clear would empty a folder that a link names, so a link is left to its owner.
    if VENV.is_symlink():
        raise SetupError(f"{VENV} is a link to a broken environment: remove it and run again.")
    if run(sys.executable, "-m", "venv", "--clear", VENV, check=False):
        raise SetupError(
            "Python could not create a virtual environment.\n"
            "On Debian and Ubuntu its venv module is a package apart: sudo apt install python3-venv"
        )


def _answers(*arguments):
    """What the environment's Python prints for these arguments, or None when it fails."""
    try:
        done = subprocess.run([str(PYTHON), *arguments], capture_output=True, text=True, cwd=VENV)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def key_of_setup():
    """A hash of all that decides what a set-up installs."""
    files = [ROOT / "pyproject.toml", CONSTRAINTS]
    parts = [path.read_bytes() for path in files if path.exists()]
    version = _answers("-c", "import sys; print(sys.version)") or ""
    return hashlib.sha256(b"\0".join([*parts, version.encode(), str(ROOT).encode()])).hexdigest()


def is_ready(need, key):
    """Whether `.venv` holds what `need` asks for; what the tests need includes the course."""
    stamps = [VENV / f".ready-{name}" for name in EXTRAS if name in (need, "test")]
    return any(stamp.exists() and stamp.read_text() == key for stamp in stamps)


def setup(need, torch="cpu", latest=False):
    """Bring `.venv` to hold the extras of `need` ("course" or "test"), or raise SetupError."""
    ensure_venv()
    key = key_of_setup()
    if is_ready(need, key) and not latest:
        return
    say("installing what the course needs: a minute or two the first time")
    stamp = VENV / f".ready-{need}"
    stamp.unlink(missing_ok=True)
    ensure_torch(torch)
    install_course(EXTRAS[need], latest)
    configure_lab()
    stamp.write_text(key)


def ensure_torch(torch):
    """Install torch before anything else asks for it; never CUDA unless `torch` is "cuda"."""
    if _answers("-c", "import torch") is not None:
        return
    version = _answers("-c", "import pip; print(pip.__version__)")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PIP:
        run(PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    if torch == "cuda" or not pip_would_bring_cuda():
        say(f"installing {TORCH} with pip")
        run(PYTHON, "-m", "pip", "install", TORCH)
        return
    # pip would take the CUDA build here; uv knows by itself where the CPU build lives.
    say(f"installing the CPU build of {TORCH} with uv")
    failed = run(PYTHON, "-m", "pip", "install", "--quiet", "uv", check=False)
    install = (PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON)
    if failed or run(*install, "--torch-backend=cpu", TORCH, check=False):
        raise SetupError(CUDA_REFUSED)


def pip_would_bring_cuda():
    """Ask pip what it would install for torch on this machine, with the user's own settings."""
    report = _answers(*"-m pip install --dry-run --quiet --report -".split(), TORCH)
    if report is None:
        return True  # pip knows no such torch: uv may
    names = [item["metadata"]["name"].lower() for item in json.loads(report)["install"]]
    return any(CUDA_PACKAGE.search(name) for name in names)


def install_course(extras, latest):
    """Install this folder with its extras, at the versions of constraints.txt where they fit."""
    held = VENV / "constraints.txt"
    install = (PYTHON, "-m", "pip", "install", "--quiet", "-e", f".[{extras}]", "-c", held)
    # The torch that is there stays, whatever the rest asks for: an upgrade could bring CUDA.
    version = _answers("-c", "from importlib.metadata import version; print(version('torch'))")
    torch = f"torch=={version}\n"
    pinned = [] if latest else CONSTRAINTS.read_text().splitlines(keepends=True)
    held.write_text("".join(line for line in pinned if not line.startswith("torch==")) + torch)
    if run(*install, check=latest):
        say("the versions of constraints.txt do not fit this Python: trying the newest that do")
        held.write_text(torch)
        run(*install)


def configure_lab():
    """Keep JupyterLab from asking the network for news and for updates."""
    settings = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"@jupyterlab/apputils-extension:notification": quiet}))


# The tasks


def course(options):
    """Set up and open JupyterLab on the first notebook."""
    setup("course", options.torch, options.latest)
    # As the default address, the notebook is also in the link that is printed.
    opened = f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}"
    quiet = ["--log-level=WARN", "--LanguageServerManager.autodetect=False"]
    lab = [PYTHON, "-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}", opened, *quiet]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        lab.append("--allow-root")
    if not has_browser():
        lab.append("--no-browser")
        say("no browser here: open the address printed below, the one that holds a token")
    say("JupyterLab starts; stop it with Ctrl-C")
    process = subprocess.Popen([str(part) for part in lab], cwd=ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass  # JupyterLab got the same Ctrl-C and asks whether to stop: its end ends the wait


def has_browser():
    """Whether a browser with a window can be opened from here."""
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def test(options):
    """Lint, unit tests and notebooks, all three even when one fails."""
    setup("test", options.torch, options.latest)
    failed = [task.__name__ for task in (lint, unit, notebooks) if task(options)]
    say(f"failed: {', '.join(failed)}" if failed else "lint, unit tests and notebooks passed")
    return 1 if failed else 0


def setup_all(options):
    """Set up the course and its tests, and open nothing."""
    setup("test", options.torch, options.latest)
    say(f"ready in {VENV}")
    return 0


def lint(options):
    """Check the style and the format of the package, the tests and the notebooks."""
    setup("test", options.torch, options.latest)
    style = run(PYTHON, "-m", "ruff", "check", ".", check=False)
    return run(PYTHON, "-m", "ruff", "format", "--check", ".", check=False) or style


def unit(options):
    """Run the unit tests on two processes, each with one thread."""
    setup("test", options.torch, options.latest)
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return run(PYTHON, "-m", "pytest", "-n", "2", "tests", env={**QUIET, **one_thread}, check=False)


def notebooks(options):
    """Run every notebook and solution again, offline, and compare their outputs."""
    setup("test", options.torch, options.latest)
    if not any(ROOT.glob("notebooks/*.ipynb")):
        say("there are no notebooks to run")
        return 0
    # Two notebooks at once would otherwise both read the documentation into the corpus.
    run(PYTHON, "-m", "encoder_course", "docs", env=QUIET)
    nbval = "-n 2 --dist loadfile -p no:cacheprovider --nbval --nbval-current-env".split()
    sanitize = ["--nbval-sanitize-with", "tests/nbval_sanitize.cfg"]
    command = (PYTHON, "-m", "pytest", *nbval, *sanitize, "notebooks", "solutions")
    return run(*command, env=for_notebooks(), check=False)


def for_notebooks():
    """The environment variables that notebooks run under: cut off from the network, one thread.

    Two notebooks run side by side, and the number of threads changes the last digits of a sum.
    """
    path = os.pathsep.join(filter(None, [str(NO_NETWORK), os.environ.get("PYTHONPATH")]))
    return {**QUIET, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def labs(options):
    """Make the labs that students get from their solutions."""
    setup("test", options.torch, options.latest)
    return run(PYTHON, "-m", "encoder_course", "grade", "release", "--repository", check=False)


def bench(options):
    """Measure how fast sentences are encoded; benchmarks/README.md says what else there is."""
    setup("test", options.torch, options.latest)
    one_thread = {"OMP_NUM_THREADS": "1"}
    return run(PYTHON, "benchmarks/encode.py", "--threads", "1", env=one_thread, check=False)


def doctor(options):
    """Say what is there, what is missing, and what brings it."""
    setup("course", options.torch, options.latest)
    return run(PYTHON, "-m", "encoder_course", "doctor", check=False)


def format_all(options):
    """Format and sort imports in place."""
    setup("test", options.torch, options.latest)
    style = run(PYTHON, "-m", "ruff", "check", "--fix", ".", check=False)
    return run(PYTHON, "-m", "ruff", "format", ".", check=False) or style


def clean(options):
    """Remove the environment and everything that tools left behind."""
    names = (".venv", ".pytest_cache", ".ruff_cache", "build", "encoder_course.egg-info")
    for path in [ROOT / name for name in names] + list(ROOT.glob("*/**/__pycache__")):
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
    return 0


TASKS = {
    "course": course,
    "test": test,
    "setup": setup_all,
    "lint": lint,
    "unit": unit,
    "notebooks": notebooks,
    "doctor": doctor,
    "format": format_all,
    "labs": labs,
    "bench": bench,
    "clean": clean,
}


def newer_python():
    """The newest Python on PATH that is new enough, or None."""
    names = [f"python3.{minor}" for minor in range(14, OLDEST_PYTHON[1] - 1, -1)]
    return next(filter(None, map(shutil.which, names)), None)


def main(arguments=None):
    """Run one task and return its exit status."""
    listing = "\n".join(f"  {name:10} {task.__doc__}" for name, task in TASKS.items())
    parser = argparse.ArgumentParser(
        prog="bootstrap.py",
        description="Set the course up and open it, test it or clean it away.",
        epilog=f"tasks:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=TASKS, metavar="TASK")
    parser.add_argument("--torch", choices=["cpu", "cuda"], default="cpu", help="build of torch")
    parser.add_argument("--latest", action="store_true", help="leave constraints.txt aside")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    if sys.version_info < OLDEST_PYTHON:
        other = newer_python()
        if other is None:
            oldest = ".".join(map(str, OLDEST_PYTHON))
            print(f"The course needs Python {oldest} or newer; this is {sys.version.split()[0]}.")
            return 1
        return subprocess.run([other, __file__, *arguments]).returncode
    try:
        return TASKS[options.task](options)
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted: the same command goes on from here")
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
