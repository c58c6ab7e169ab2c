"""Execute the course's notebooks and write them back in one normal form.

A committed notebook is executed, and executing it again leaves no difference: no timestamps, no
random identifiers, no addresses, no paths of this machine. Three tags on a cell matter here:

- `measured`: the cell shows timings or sizes of this machine. Its committed outputs are kept as
  long as its source has not changed (a hash of the source in the cell's metadata tells), unless
  `--remeasure` is given; nbval is told to ignore them.
- `nbval-ignore-output`: the outputs depend on what is installed. They are written anew here, and
  neither nbval nor `--check` compares them.
- `raises-exception`: the cell must fail. Only the error's name and message are kept.
"""

import argparse
import hashlib
import os
import re
import tempfile
import threading
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder_course.bootstrap import NO_NETWORK, ROOT, for_notebooks

MOST_SECONDS = 180
MOST_GIGABYTES = 4.0
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
IMAGE = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
PASSING_METADATA = ("execution", "ExecuteTime", "collapsed", "scrolled", "trusted")


class NotebookError(Exception):
    """A notebook that cannot be committed as it is; the message names the cell and says why."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one execution took."""

    seconds: float
    gigabytes: float  # peak resident memory of the kernel and its children

    @property
    def is_too_much(self) -> bool:
        return self.seconds > MOST_SECONDS or self.gigabytes > MOST_GIGABYTES


def execute(notebook: Any, folder: Path) -> tuple[Any, Cost]:
    """Run a copy of a notebook in a fresh kernel started in `folder`, cut off from the network.

    Raises NotebookError naming the cell that failed.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    notebook = deepcopy(notebook)
    running: dict[str, int] = {"cell": 0}
    client = NotebookClient(
        notebook,
        kernel_name=KERNEL["name"],
        timeout=2 * MOST_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        on_cell_start=lambda cell, cell_index: running.update(cell=cell_index),
    )
    peak = PeakMemory(client)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as profile, peak:  # no start-up files of the user's
        environment = {"IPYTHONDIR": profile, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        try:
            client.execute(env={**os.environ, **for_notebooks(), **environment})
        except (CellControlSignal, DeadKernelError) as problem:
            raise NotebookError(f"{cell_name(running['cell'])}: {problem}") from None
    seconds = time.perf_counter() - started
    return notebook, Cost(seconds=seconds, gigabytes=peak.largest / 1e9)


class PeakMemory(threading.Thread):
    """Watch the kernel of a client while it runs; `largest` is in bytes."""

    def __init__(self, client: Any) -> None:
        super().__init__(daemon=True)
        self.client, self.largest, self.done = client, 0, threading.Event()

    def run(self) -> None:
        import psutil

        while not self.done.wait(0.05):
            pid = getattr(getattr(self.client.km, "provisioner", None), "pid", None)
            if pid is None:
                continue
            try:
                kernel = psutil.Process(pid)
                family = [kernel, *kernel.children(recursive=True)]
                resident = sum(process.memory_info().rss for process in family)
            except psutil.Error:
                continue  # a process ended between the listing and the reading
            self.largest = max(self.largest, resident)

    def __enter__(self) -> "PeakMemory":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()


def cell_name(index: int) -> str:
    """A cell's stable id, counted from 1 over all cells."""
    return f"cell-{index + 1:02d}"


def normalise(executed: Any, committed: Any, remeasure: bool = False) -> Any:
    """An executed notebook in the form that is committed; `committed` lends measured outputs."""
    notebook = deepcopy(executed)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata.pop("widgets", None)
    notebook.metadata.update(kernelspec=KERNEL, language_info={"name": "python"})
    count = 0
    for index, (cell, before) in enumerate(zip(notebook.cells, committed.cells, strict=True)):
        cell.id = cell_name(index)
        for key in PASSING_METADATA:
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        count += 1
        refuse_stderr(cell)
        if "measured" in cell.metadata.get("tags", []):
            keep_measured(cell, None if remeasure else before)
        cell.execution_count = count
        for output in cell.outputs:
            normalise_output(output, count)
        refuse_traces(cell)
    return notebook


def keep_measured(cell: Any, before: Any | None) -> None:
    """Put back the outputs committed with this very source, and note which source that was."""
    source = hashlib.sha256(cell.source.encode()).hexdigest()[:16]
    if before is not None and before.metadata.get("measured_source") == source:
        cell.outputs = deepcopy(before.outputs)
    cell.metadata["measured_source"] = source
    if "nbval-ignore-output" not in cell.metadata["tags"]:
        cell.metadata["tags"].append("nbval-ignore-output")


def normalise_output(output: Any, count: int) -> None:
    """Drop what changes from run to run: widget views, tracebacks, counts."""
    if "execution_count" in output:
        output.execution_count = count
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    elif "data" in output and WIDGET_VIEW in output.data:
        # The view only names a model that lives in the kernel: nothing to show once saved.
        del output.data[WIDGET_VIEW]


def refuse_stderr(cell: Any) -> None:
    """Raise NotebookError where a cell printed on stderr: a warning is a thing to mend."""
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise NotebookError(f"{cell.id} prints on stderr: {output.text.strip()[:300]}")


def refuse_traces(cell: Any) -> None:
    """Raise NotebookError where outputs hold an address, an identifier or a path from here."""
    home, temporary = (re.escape(str(path)) for path in (Path.home(), tempfile.gettempdir()))
    traces = {
        "a memory address": r"0x[0-9a-fA-F]{8,}",
        "a random identifier": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-|model_id",
        "a path of this machine": rf"(?:{home}|{temporary}|site-packages)[/\\]",
    }
    for output in cell.outputs:
        if output.get("data") == {}:
            raise NotebookError(
                f"{cell.id} shows a widget that has no text or HTML to fall back on"
            )
        text = IMAGE.sub("", all_text(output))
        for what, pattern in traces.items():
            if found := re.search(pattern, text):
                raise NotebookError(f"{cell.id} shows {what}: {found.group()}")


def all_text(output: Any) -> str:
    """All text that an output shows, pictures left out."""
    shown = [output.get("text", ""), output.get("evalue", "")]
    data = output.get("data", {})
    shown += [str(data[kind]) for kind in data if not kind.startswith("image/p")]
    return "\n".join(shown)


def differences(new: Any, old: Any) -> list[str]:
    """The cells in which two notebooks differ, outputs that depend on the machine left out."""
    found = [] if new.metadata == old.metadata else ["the notebook's metadata"]
    for index, (after, before) in enumerate(zip(new.cells, old.cells, strict=True)):
        if "nbval-ignore-output" in after.metadata.get("tags", []):
            after = after | {"outputs": before.outputs}
        if after != before:
            found.append(cell_name(index))
    return found


def process(path: Path, check: bool, remeasure: bool) -> str:
    """Execute one notebook, write it (or with `check` only compare it); what is wrong, or ""."""
    import nbformat

    committed = nbformat.read(path, as_version=4)
    try:
        executed, cost = execute(committed, path.parent)
        print(f"{path.name}: {cost.seconds:.0f} s, {cost.gigabytes:.1f} GB at most", flush=True)
        notebook = normalise(executed, committed, remeasure)
    except NotebookError as problem:
        return f"{path.name}: {problem}"
    if check and (changed := differences(notebook, committed)):
        return f"{path.name}: differs from what is committed in {', '.join(changed)}"
    if not check:
        text = nbformat.writes(notebook)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    if cost.is_too_much:
        return f"{path.name}: takes more than {MOST_SECONDS} s or {MOST_GIGABYTES:.0f} GB"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Execute notebooks; 0 when every one ran within the limits and can be committed."""
    parser = argparse.ArgumentParser(prog="encoder_course notebooks", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks or folders of them")
    parser.add_argument("--check", action="store_true", help="write nothing: fail on differences")
    parser.add_argument("--remeasure", action="store_true", help="renew measured outputs")
    options = parser.parse_args(arguments)
    if not NO_NETWORK.is_dir():
        parser.error(f"{NO_NETWORK} is missing: run this from the course's repository")
    paths: list[Path] = []
    for path in options.paths or [ROOT / "notebooks"]:
        paths += sorted(path.glob("*.ipynb")) if path.is_dir() else [path]
    problems = [process(path.resolve(), options.check, options.remeasure) for path in paths]
    for problem in filter(None, problems):
        print(f"FAILED {problem}")
    return 1 if any(problems) else 0
