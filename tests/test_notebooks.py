"""The executor: clean, cut off from the network, and the second run leaves the same bytes."""

import http.server
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from encoder_course import notebooks
from encoder_course.bootstrap import NO_NETWORK


def write(folder: Path, *cells) -> Path:
    """A notebook of the given cells: a string is code, a pair is code with tags."""
    made = [new_markdown_cell("# A title")]
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        made.append(new_code_cell(source, metadata={"tags": tags} if tags else {}))
    path = folder / "small.ipynb"
    nbformat.write(new_notebook(cells=made), path)
    return path


def run(path: Path, *options: str) -> int:
    return notebooks.main([str(path), *options])


def outputs(path: Path, cell: int):
    return nbformat.read(path, as_version=4).cells[cell].outputs


def test_a_second_run_leaves_the_same_bytes_and_measured_outputs_stay(tmp_path, capsys):
    path = write(
        tmp_path,
        "print('one')\nprint('two')\n1 + 1",
        ("import time\ntime.perf_counter_ns()", ["measured"]),
        ("1 / 0", ["raises-exception"]),
        "import ipywidgets\nipywidgets.IntSlider(value=3)",
        "import os\nos.environ['TQDM_DISABLE'], os.path.basename(os.getcwd())",
    )
    assert run(path) == 0
    first = path.read_bytes()
    assert "GB at most" in capsys.readouterr().out
    assert run(path) == 0
    assert path.read_bytes() == first

    book = nbformat.read(path, as_version=4)
    assert [cell.id for cell in book.cells] == [f"cell-{n:02d}" for n in range(1, 7)]
    assert [cell.execution_count for cell in book.cells[1:]] == [1, 2, 3, 4, 5]
    assert "widgets" not in book.metadata
    assert "nbval-ignore-output" in book.cells[2].metadata.tags
    assert book.cells[3].outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert list(book.cells[4].outputs[0].data) == ["text/plain"]
    assert book.cells[5].outputs[0].data["text/plain"] == f"('1', '{tmp_path.name}')"

    assert run(path, "--remeasure") == 0
    assert path.read_bytes() != first


def test_a_measured_cell_is_run_again_when_its_source_changes(tmp_path):
    path = write(tmp_path, ("print('old')", ["measured"]))
    assert run(path) == 0
    path.write_text(path.read_text().replace("print('old')", "print('new')"))
    assert run(path) == 0
    assert outputs(path, 1)[0].text == "new\n"


def test_check_writes_nothing_and_names_the_cell_that_differs(tmp_path, capsys):
    path = write(tmp_path, "1 + 1", ("6 * 7", ["nbval-ignore-output"]))
    assert run(path) == 0
    assert run(path, "--check") == 0
    changed = path.read_text().replace('"2"', '"3"').replace('"42"', '"another version"')
    path.write_text(changed)
    assert run(path, "--check") == 1
    assert path.read_text() == changed
    said = capsys.readouterr().out
    assert "cell-02" in said and "cell-03" not in said


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import warnings\nwarnings.warn('mend me')", "stderr"),
        ("object()", "memory address"),
        ("raise ValueError('no such thing')", "no such thing"),
    ],
)
def test_what_cannot_be_committed_fails_names_its_cell_and_leaves_the_file(
    tmp_path, capsys, source, complaint
):
    path = write(tmp_path, "'fine'", source)
    before = path.read_bytes()
    assert run(path) == 1
    said = capsys.readouterr().out
    assert "cell-03" in said and complaint in said
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<Block object at 0x7f3c5d2b1e90>", "a memory address"),
        ("id 6fa459ea-ee8a-4ca4-894e-db77e160355e", "a random identifier"),
        ('{"model_id": "1"}', "a random identifier"),
        (str(Path.home() / "course"), "a path of this machine"),
        (str(Path(tempfile.gettempdir(), "course")), "a path of this machine"),
        ("lib/site-packages/torch/nn", "a path of this machine"),
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "text/html", "stream", "evalue"])
def test_traces_of_this_machine_are_refused(text, complaint, kind):
    if kind == "stream":
        output = new_output("stream", text=text)
    elif kind == "evalue":
        output = new_output("error", ename="ValueError", evalue=text, traceback=[])
    else:
        output = new_output("display_data", data={kind: text})
    with pytest.raises(notebooks.NotebookError, match=complaint):
        notebooks.refuse_traces(new_code_cell(outputs=[output]))


def test_ordinary_text_is_not_refused():
    text = "0xff, 12 site-packages, home sweet home, 2026-11-21, ~/course, a model of 0x1234567"
    notebooks.refuse_traces(new_code_cell(outputs=[new_output("stream", text=text)]))


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket\nsocket.create_connection(('192.0.2.1', 80), 1)",
        "import urllib.request as r\nr.urlopen('http://example.org')",
    ],
)
def test_a_cell_that_connects_out_fails(tmp_path, capsys, attempt):
    assert run(write(tmp_path, attempt)) == 1
    said = capsys.readouterr().out
    assert "cell-02" in said and "NetworkBlocked" in said


def test_loopback_stays_open(tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/nothing-here"
    path = write(
        tmp_path,
        "import urllib.request, urllib.error\n"
        f"try:\n    urllib.request.urlopen('{address}')\n"
        "except urllib.error.HTTPError as answer:\n    print(answer.code)",
    )
    assert run(path) == 0
    server.server_close()
    assert outputs(path, 1)[0].text == "404\n"


def test_too_slow_or_too_large_fails(tmp_path, monkeypatch, capsys):
    path = write(tmp_path, "import time\nheld = bytearray(300_000_000)\ntime.sleep(0.3)")
    monkeypatch.setattr(notebooks, "MOST_GIGABYTES", 0.3)
    assert run(path) == 1
    assert "takes more than" in capsys.readouterr().out
    monkeypatch.setattr(notebooks, "MOST_GIGABYTES", 4.0)
    assert run(path) == 0


def test_an_image_may_hold_what_a_text_may_not():
    picture = "data:image/png;base64,0xdeadbeefdeadbeef/tmp/"
    cell = new_code_cell(outputs=[new_output("stream", text=f"<img src='{picture}'>")])
    notebooks.refuse_traces(cell)
    cell.outputs[0].text = picture.replace(":", "")
    with pytest.raises(notebooks.NotebookError, match="memory address"):
        notebooks.refuse_traces(cell)


def test_nbval_agrees_with_what_the_executor_wrote(tmp_path):
    path = write(
        tmp_path,
        "print('one')",
        ("import time\ntime.perf_counter_ns()", ["measured"]),
        ("1 / 0", ["raises-exception"]),
        "import ipywidgets\nipywidgets.IntSlider(value=3)",
        "from IPython.display import HTML\nimport base64, os\n"
        'HTML(f\'<img alt="noise" src="data:image/png;base64,'
        "{base64.b64encode(os.urandom(30)).decode()}\">')",
    )
    assert run(path) == 0
    sanitize = NO_NETWORK.parent / "nbval_sanitize.cfg"
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", sanitize, path]
    options = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

    path.write_text(path.read_text().replace('"one\\n"', '"other\\n"'))
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
