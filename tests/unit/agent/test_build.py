from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

AGENT = Path(__file__).resolve().parents[3] / "agent"


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def build() -> ModuleType:
    return load("agent_build", AGENT / "build.py")


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("NPU_AGENT_UNPACK_DIR", str(tmp_path / "unpacked"))
    module = load("agent_bootstrap", AGENT / "bootstrap" / "__main__.py")
    monkeypatch.setattr(module, "DIGEST", "ab" * 32)
    return module


def packed(build: ModuleType, folder: Path) -> Path:
    path = folder / "agent.pyz"
    path.write_bytes(
        build.pack({"lib/pkg/__init__.py": b"VALUE = 1\n", "__main__.py": b"", "lib/pkg/data.json": b"{}"})
    )
    return path


def test_the_same_files_are_the_same_bytes(build: ModuleType) -> None:
    assert build.pack({"b": b"2", "a": b"1"}) == build.pack({"a": b"1", "b": b"2"})


def test_the_file_starts_with_an_isolated_python(build: ModuleType, tmp_path: Path) -> None:
    path = packed(build, tmp_path)
    assert path.read_bytes().startswith(b"#!/usr/bin/python3 -I\n")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["__main__.py", "lib/pkg/__init__.py", "lib/pkg/data.json"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_everything_of_the_package_is_packed(build: ModuleType) -> None:
    names = {name for name, _ in build.own_files()}
    assert {
        "lib/npu_agent/__init__.py",
        "lib/npu_agent/schemas/workload.json",
        "lib/npu_agent/profiles/train.yaml",
    } <= names
    assert not any("__pycache__" in name for name in names)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("psutil/_psutil_linux.abi3.so", True),
        ("yaml/_yaml.cpython-39-x86_64-linux-gnu.so", False),
        ("charset_normalizer/md__mypyc.cpython-39-x86_64-linux-gnu.so", False),
        ("docker/api/client.py", True),
        ("docker-7.2.0.dist-info/licenses/LICENSE", True),
        ("docker-7.2.0.dist-info/RECORD", False),
        ("psutil/tests/test_linux.py", False),
        ("certifi/cacert.pem", True),
    ],
)
def test_only_what_runs_on_every_python_is_taken(build: ModuleType, tmp_path: Path, name: str, taken: bool) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(name, b"x")
    assert [found for found, _ in build.from_wheel(wheel)] == ([f"lib/{name}"] if taken else [])


def test_a_wheel_counts_only_with_a_pinned_hash(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"good")
    good = build.sha256(b"good")
    assert build.chosen(tmp_path, {"a==1": {good, "0" * 64}}) == [tmp_path / "a.whl"]
    (tmp_path / "a.whl").write_bytes(b"changed")
    assert build.chosen(tmp_path, {"a==1": {good}}) is None


def test_every_requirement_is_pinned_by_hash(build: ModuleType) -> None:
    pins = build.pinned(build.REQUIREMENTS)
    assert {name.split("==")[0] for name in pins} >= {"docker", "starlette", "uvicorn", "psutil", "pyyaml"}
    assert all(pins.values())


def test_a_requirement_without_a_hash_is_not_left_out(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(f"a==1 \\\n    --hash=sha256:{'0' * 64}\nb==2\n")
    pins = build.pinned(tmp_path / "r.txt")
    assert pins == {"a==1": {"0" * 64}, "b==2": set()}
    assert build.chosen(tmp_path, {"b==2": set()}) is None


def test_it_unpacks_once_and_for_this_user_only(build: ModuleType, bootstrap: ModuleType, tmp_path: Path) -> None:
    library = Path(bootstrap.prepare(str(packed(build, tmp_path))))
    assert (library / "pkg" / "__init__.py").read_text() == "VALUE = 1\n"
    assert list((library / "pkg" / "__pycache__").glob("*.pyc"))
    assert library.parent.name == "ab" * 6
    (tmp_path / "agent.pyz").unlink()
    assert bootstrap.prepare("gone") == str(library)
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["ab" * 6]


def test_half_an_unpacking_is_not_taken_for_a_whole_one(
    build: ModuleType, bootstrap: ModuleType, tmp_path: Path
) -> None:
    archive = packed(build, tmp_path)
    archive.write_bytes(archive.read_bytes()[:-80])
    with pytest.raises(zipfile.BadZipFile):
        bootstrap.prepare(str(archive))
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_a_folder_that_others_can_write_is_refused(build: ModuleType, bootstrap: ModuleType, tmp_path: Path) -> None:
    archive = packed(build, tmp_path)
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "unpacked").chmod(0o777)
    with pytest.raises(bootstrap.BootstrapError, match="only this user can write"):
        bootstrap.prepare(str(archive))


def test_a_link_in_its_place_is_refused(build: ModuleType, bootstrap: ModuleType, tmp_path: Path) -> None:
    archive = packed(build, tmp_path)
    (tmp_path / "unpacked").mkdir(mode=0o700)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "unpacked" / ("ab" * 6)).symlink_to(tmp_path / "theirs")
    with pytest.raises(bootstrap.BootstrapError, match="Remove it"):
        bootstrap.prepare(str(archive))


def test_no_room_is_one_sentence(build: ModuleType, bootstrap: ModuleType, tmp_path: Path) -> None:
    archive = packed(build, tmp_path)
    (tmp_path / "unpacked").write_text("a file where a folder should be")
    with pytest.raises(bootstrap.BootstrapError, match=r"^npu-agent cannot unpack itself into .*Make room"):
        bootstrap.prepare(str(archive))


def test_an_old_python_is_told_in_one_sentence(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 6, 8))
    assert bootstrap.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert os.environ["NPU_AGENT_UNPACK_DIR"]


def test_libraries_of_the_node_do_not_get_in(bootstrap: ModuleType) -> None:
    home = Path(os.__file__).parent
    found = [f"{home.parent}/python311.zip", str(home), f"{home}/lib-dynload"]
    others = [f"{home}/site-packages", "/usr/lib/python3/dist-packages", "/opt/named/by/a/pth/file"]
    assert bootstrap.standard_library_only([*found, *others]) == found


def test_the_bootstrap_is_readable_for_python_3_6() -> None:
    import ast

    # An older Python must get as far as the sentence that says what to do; anything newer would be a SyntaxError.
    assert ast.parse((AGENT / "bootstrap" / "__main__.py").read_text(), feature_version=(3, 6)).body
