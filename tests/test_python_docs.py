"""The documentation corpus: exact documents from small packages, and all that may go wrong."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from encoder_course.data import command, reading
from encoder_course.data.clean import clean
from encoder_course.data.corpus import Corpus, Document, Entry, Report
from encoder_course.data.duplicates import _signatures, duplicates
from encoder_course.data.harvest import Docstring, docstrings
from encoder_course.data.markup import inline
from encoder_course.data.parse import parse
from encoder_course.data.python_docs import python_docs
from encoder_course.data.sources import Package

NUMPYDOC = '''
"""Tools that weigh things on a scale."""

def weigh(objects, unit="g"):
    """Weigh :class:`~scales.Thing` objects one after another.

    The scale is *tared* first, with ``reset`` of `Scale <https://scales.org>`_.

    .. versionadded:: 1.2
    .. note:: Heavy things bend the scale.

    Parameters
    ----------
    objects : list of Thing
        What to weigh, in order.
    unit : {'g', 'kg'}, optional
        Unit of the weights [1]_.

    Returns
    -------
    float
        The weight of all the objects.

    See Also
    --------
    tare, reset : Bring the scale to zero.

    Examples
    --------
    Weigh one small stone::

        scale = Scale()

    >>> weigh([stone])
    3.0

    References
    ----------
    .. [1] A book about units of weight.
    """
'''

GOOGLE = '''
class Lamp:
    """A lamp that can be dimmed by hand."""

    def dim(self, level: float):
        """Lower the light of the lamp slowly.

        Args:
            level (`float`, *optional*, defaults to 0.5):
                Share of the light that stays on.
            steps: how many steps to take,
                one after another

        Raises:
            ValueError: If the level is negative.

        Example::

            lamp.dim(0.2)

        The lamp stays warm for a while.
        """
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put files into a package on sys.path; give its name."""

    def make(files, name="scales"):
        for path, content in files.items():
            target = tmp_path / "site" / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        return name

    return make


@pytest.fixture
def harvest(tmp_path):
    def run(*names, **options):
        return python_docs(list(names), cache_dir=tmp_path / "cache", progress=False, **options)

    return run


def texts_by_section(corpus, name):
    return {section: d.text for section, d in corpus.objects()[name].items()}


def test_numpydoc_gives_one_clean_document_per_section(install, harvest):
    corpus = harvest(install({"__init__.py": NUMPYDOC}))
    assert texts_by_section(corpus, "scales") == {"summary": "Tools that weigh things on a scale."}
    assert texts_by_section(corpus, "scales.weigh") == {
        "summary": "Weigh Thing objects one after another.",
        "description": "The scale is tared first, with reset of Scale.\n\n"
        "Heavy things bend the scale.",
        "parameters": "objects (list of Thing): What to weigh, in order.\n"
        "unit ({'g', 'kg'}, optional): Unit of the weights.",
        "returns": "float: The weight of all the objects.",
        "see also": "tare: Bring the scale to zero.\nreset: Bring the scale to zero.",
        "examples": "Weigh one small stone:",
    }
    sections = corpus.objects()["scales.weigh"]
    assert sections["parameters"].entries == (
        Entry("objects", "list of Thing", "What to weigh, in order."),
        Entry("unit", "{'g', 'kg'}, optional", "Unit of the weights."),
    )
    assert sections["returns"].entries == (Entry("", "float", "The weight of all the objects."),)
    assert sections["examples"].code == ("scale = Scale()",)
    assert sections["examples"].doctest == (">>> weigh([stone])\n3.0",)
    assert sections["summary"].package == "scales"
    assert (sections["summary"].kind, sections["summary"].version) == ("function", "unversioned")


def test_google_style_gives_the_same_sections(install, harvest):
    corpus = harvest(install({"__init__.py": GOOGLE}))
    assert texts_by_section(corpus, "scales.Lamp") == {
        "summary": "A lamp that can be dimmed by hand."
    }
    assert texts_by_section(corpus, "scales.Lamp.dim") == {
        "summary": "Lower the light of the lamp slowly.",
        "description": "The lamp stays warm for a while.",
        "parameters": "level (float, optional, defaults to 0.5): Share of the light that stays on."
        "\nsteps: how many steps to take, one after another",
        "raises": "ValueError: If the level is negative.",
    }


def test_sphinx_fields_become_entries(install, harvest):
    source = 'def f():\n    """Fetch one page of it.\n\n    :param int page: the page to fetch\n'
    source += '    :rtype: str\n    :returns: the text of that page\n    """\n'
    found = harvest(install({"__init__.py": source})).objects()["scales.f"]
    assert found["parameters"].entries == (Entry("page", "int", "the page to fetch"),)
    assert found["returns"].text == "the text of that page"


def test_pieces_of_one_section_may_be_indented_differently():
    docstring = (
        "Do it all.\n\nArgs:\n    first (`int`): one of them\n\nsecond (`str`): another one\n"
    )
    (document,) = [
        d for d in parse(Docstring("f", "function", docstring), "p", "1")[0] if d.entries
    ]
    assert document.entries == (
        Entry("first", "int", "one of them"),
        Entry("second", "str", "another one"),
    )


@pytest.mark.parametrize(
    "lead",
    ["f(x, *, out=None) -> Tensor\n\nTake the root of x.", "f(x)\nTake the root of x.",
     "`int`: Take the root of x."],
)  # fmt: skip
def test_summary_is_the_first_sentence_and_no_signature(lead):
    documents, _ = parse(Docstring("f", "function", lead), "p", "1")
    assert [(d.section, d.text) for d in documents] == [("summary", "Take the root of x.")]


def test_documentation_attached_by_code_is_found():
    source = 'add_docstr(torch.abs, r"""abs(x) -> Tensor\n\nTake {what}.""".format(**common))\n'
    source += 'add_newdoc("numpy.core", "dtype", ("shape", "Lengths " + "of sides"))\n'
    source += 'dot = _add_docstr(lib.dot, f"Multiply by {number}")\nother("not", "this")\n'
    assert [(d.name, d.text) for d in docstrings(source, "m")] == [
        ("torch.abs", "abs(x) -> Tensor\n\nTake {what}."),
        ("numpy.core.dtype.shape", "Lengths of sides"),
        ("m.dot", "Multiply by {placeholder}"),
    ]


@pytest.mark.parametrize(
    ("raw", "prose"),
    [
        ("Give :func:`~a.b.C.run` a ``list`` of `x`.", "Give run a list of x."),
        ("See [the guide](guide.md) and [`Model`].", "See the guide and Model."),
        ("Takes *args and **kwargs, **always**.", "Takes *args and **kwargs, always."),
        (r"The mean :math:`\mu_{ij}` of :math:`\mathbf{x}`.", "The mean mu_ij of x."),
        ("It is fast. See https://a.org/b for why. It is small.", "It is fast. It is small."),
        ("A set {1, 2} stays whole.", "A set {1, 2} stays whole."),
        (
            r"A :class:`Token`\s has log_{10} of :math:`\frac{a}{b}`.",
            "A Tokens has log_10 of (a)/(b).",
        ),
    ],
)
def test_inline_markup_becomes_prose(raw, prose):
    assert inline(raw) == prose


@pytest.mark.parametrize(
    "block",
    [
        "====  ====\none   two\n====  ====",
        "| a | b |\n|---|---|\n| c | d |",
        "Copyright 2001 by the authors of this file.",
        "Return a {klass} with the same rows.",
        "%(figure_kwargs)s are passed on.",
        ".. deprecated:: 1.0\n   Use something else instead.",
        ".. image:: picture.png",
        "https://example.org/a/long/address",
    ],
)
def test_what_is_no_prose_is_dropped(block):
    assert clean(block.splitlines()).paragraphs == []


def test_indented_code_is_not_prose_and_indented_prose_is():
    lines = "For example:\n    x = f(1)\n    print(x)\n\n    This deep line is about it.".split(
        "\n"
    )
    found = clean(lines)
    assert found.paragraphs == ["For example:", "This deep line is about it."]
    assert found.code == ["x = f(1)\nprint(x)"]


def test_broken_files_are_skipped_counted_and_nothing_is_imported(install, harvest, tmp_path):
    witness = tmp_path / "imported"
    nested = "x = " + "(" * 5000 + ")" * 5000
    negated = "x = " + "-" * 20000 + "1"
    name = install(
        {
            "__init__.py": f'"""Runs when it is imported."""\nopen({str(witness)!r}, "w")',
            "broken.py": '"""Never read because of what follows."""\ndef (:',
            "bytes.py": b'"""Caf\xe9 au lait is not valid here."""\n',
            "latin.py": b'# coding: latin-1\n"""Caf\xe9 au lait is declared here."""\n',
            "cookie.py": b"# coding: no-such-encoding\n",
            "nulls.py": b'"""Null bytes follow this text."""\x00\n',
            "empty.py": "",
            "deep.py": nested,
            "negated.py": negated,
            "escape.py": '"""An \\invalid escape warns when compiled."""\n',
            "surrogate.py": '"""A lone \\ud800 surrogate is taken out."""\n',
            "tests/test_it.py": '"""Tests are not documentation of anything."""\n',
            "elif.py": "if a: pass\n"
            + "elif a: pass\n" * 500
            + "def f():\n  'It still finds this.'\n",
        }
    )
    (tmp_path / "site" / name / "dangling.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "site" / name / "folder.py").mkdir()
    corpus = harvest(name, "not_installed_anywhere")
    assert sorted(corpus.texts()) == [
        "A lone surrogate is taken out.",
        "An invalid escape warns when compiled.",
        "Café au lait is declared here.",
        "It still finds this.",
        "Runs when it is imported.",
    ]
    skipped = dict(corpus.report.skipped)
    assert skipped.pop("syntax error") + skipped.pop("too deeply nested") == 4
    assert skipped == {"undecodable": 2, "unreadable": 1, "missing package": 1}
    assert corpus.report.missing == ("not_installed_anywhere",)
    assert (corpus.report.files, corpus.report.documents) == (6, 5)
    assert not witness.exists() and name not in sys.modules


def test_bad_arguments_are_named(harvest, tmp_path):
    with pytest.raises(ValueError, match="list of names.*'numpy'"):
        python_docs("numpy", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="none of these packages.*absent_a, absent_b"):
        harvest("absent_a", "absent_b")
    with pytest.raises(ValueError, match="scikit-learn"):
        harvest("scikit-learn")


LONG = (
    "Compute the weighted average of all the rows of a table along the given axis, and return it "
    "as an array whose dtype is that of the table unless another one has been asked for by name, "
    "in which case the values are converted only once after the sums have been taken."
)


def test_near_duplicates_go_and_different_texts_stay():
    texts = [
        LONG,
        LONG.upper().replace(" ", "  "),  # the same words
        LONG.replace("table along", "matrix along"),  # one word of fifty
        " ".join(sorted(LONG.split())),  # the same bag of words, in another order
        LONG[: len(LONG) // 3],
        "Short text.",
        "Short text.",
        "Other.",
    ]
    assert duplicates(texts) == ([1, 6], [2])
    assert duplicates(texts, threshold=1.0) == ([1, 6], [])
    assert duplicates([]) == ([], [])
    with pytest.raises(ValueError, match="80"):
        duplicates(texts, threshold=80.0)


def test_a_bag_of_words_would_drop_what_shingles_keep():
    """The wrong variant: without order, a shuffled text counts as the same."""
    shuffled = " ".join(sorted(LONG.split()))
    assert set(shuffled.split()) == set(LONG.split())
    assert duplicates([LONG, shuffled]) == ([], [])


def test_a_signature_does_not_depend_on_the_text_that_follows():
    text = "one two three four five six seven eight nine ten".split()
    signatures = _signatures([text, ["x", "y", "z"], text, ["p", "q", "r"]])
    assert (signatures[0] == signatures[2]).all()
    assert not (signatures[0] == signatures[1]).any()


def test_split_is_stable_and_no_object_straddles(install, harvest):
    source = "".join(
        f"def f{i}():\n    '''Count number {i} of the things here.\n\n"
        f"    Then add {i} to what was counted.'''\n"
        for i in range(400)
    )
    corpus = harvest(install({"__init__.py": source}))
    train, heldout = corpus.split(0.2)
    assert len(train) + len(heldout) == len(corpus)
    assert 0.1 < len(heldout) / len(corpus) < 0.3
    assert not set(train.objects()) & set(heldout.objects())
    assert {d.name for d in corpus[:100].split(0.2)[1]} <= set(heldout.objects())
    with pytest.raises(ValueError, match=r"heldout is 1\.5"):
        corpus.split(1.5)


def cache_file(tmp_path) -> Path:
    (path,) = (tmp_path / "cache").iterdir()
    return path


def test_cache_is_used_then_refreshed(install, harvest, tmp_path):
    name = install({"__init__.py": NUMPYDOC})
    first = harvest(name)
    install({"__init__.py": GOOGLE})
    again = harvest(name)
    assert tuple(again) == tuple(first) and again.report == first.report
    assert harvest(name, refresh=True).objects().keys() == {"scales.Lamp", "scales.Lamp.dim"}


@pytest.mark.parametrize("damage", ["cut off", "one byte", "fewer rows", "other rows", "empty"])
def test_damaged_cache_is_noticed_and_rebuilt(install, harvest, tmp_path, damage):
    name = install({"__init__.py": NUMPYDOC})
    good = harvest(name)
    path = cache_file(tmp_path)
    whole = path.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(
        {
            "cut off": whole[: len(whole) // 2],
            "one byte": bytes(flipped),
            "fewer rows": gzip.compress(b"".join(lines[:-1])),
            "other rows": gzip.compress(lines[0] + b"[1]\n" * (len(lines) - 1)),
            "empty": b"",
        }[damage]
    )
    assert tuple(harvest(name)) == tuple(good)
    assert gzip.decompress(path.read_bytes()).splitlines()[1:] == [x.strip() for x in lines[1:]]


def test_unwritable_cache_only_warns(install, tmp_path):
    name = install({"__init__.py": NUMPYDOC})
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="could not be kept"):
        assert len(python_docs([name], cache_dir=tmp_path / "file" / "cache", progress=False)) == 7


def test_two_processes_at_once_leave_one_whole_cache(install, harvest, tmp_path):
    name = install({"__init__.py": NUMPYDOC})
    code = (
        "import sys; from encoder_course.data.python_docs import python_docs\n"
        "for _ in range(5): assert len(python_docs([sys.argv[1]], sys.argv[2], True, False)) == 7"
    )
    root = Path(__file__).parent.parent
    paths = os.pathsep.join([str(tmp_path / "site"), str(root)])
    command = [sys.executable, "-c", code, name, str(tmp_path / "cache")]
    running = [subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths}) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert len(harvest(name)) == 7
    cache_file(tmp_path)


def test_child_processes_read_the_same_and_a_dead_one_is_replaced(install, harvest, monkeypatch):
    name = install({f"m{i}.py": NUMPYDOC.replace("scale", f"scale{i}") for i in range(6)})
    alone = harvest(name)
    monkeypatch.setattr(reading, "FEWEST_FILES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert tuple(harvest(name, refresh=True)) == tuple(alone)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert tuple(harvest(name, refresh=True)) == tuple(alone)


def test_cache_folder_comes_from_the_environment(install, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path / "elsewhere"))
    python_docs([install({"__init__.py": NUMPYDOC})], progress=False)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_corpus_cannot_be_changed():
    document = Document("p", "1", "p.f", "function", "summary", "Some text to keep.")
    corpus = Corpus([document], Report(1, 1, 1))
    with pytest.raises(AttributeError):
        document.text = "other"
    with pytest.raises(TypeError):
        corpus[0] = document
    assert corpus.packages == {"p": "1"} and corpus[:1].texts() == ["Some text to keep."]


def test_standard_library_in_english(monkeypatch, harvest):
    modules = ("textwrap", "json", "collections", "pydoc_data", "_pydecimal")
    files = Package.files
    monkeypatch.setattr(
        Package, "files", lambda self: (f for f in files(self) if f[0].startswith(modules))
    )
    corpus = harvest("python")
    assert len(corpus) > 500 and corpus.report.skipped.keys() <= {
        *("too short", "exact duplicate", "near duplicate", "same name")
    }
    assert corpus.packages == {"python": ".".join(map(str, sys.version_info[:3]))}
    assert {d.kind for d in corpus} == {"module", "class", "function", "topic"}
    objects = corpus.objects()
    assert objects["textwrap.dedent"]["summary"].text.startswith("Remove any common leading white")
    assert any(d.kind == "topic" and d.name.endswith("the-if-statement") for d in corpus)
    assert not [t for t in corpus.texts() if "``" in t or "://" in t or "\ud800" in t]


def test_the_command_says_what_was_found_and_what_was_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path))
    assert command.main(["--packages", "tqdm", "no_such_package_here"]) == 0
    out = capsys.readouterr().out
    assert " documents of 1 packages" in out and " tqdm " in out
    assert "1 left out: missing package" in out
