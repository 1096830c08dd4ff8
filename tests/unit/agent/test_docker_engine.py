from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import docker.errors
import pytest
import requests

from npu_agent import docker_engine, engine
from npu_agent.docker_engine import DockerEngine


class Client:
    """Stands for the SDK's client behind its documented methods."""

    def __init__(self) -> None:
        self.listed = [{"Id": "1", "State": "running", "Status": "Up 1 second"}]
        self.inspected: list[str] = []
        self.error: Optional[Exception] = None
        self.closed = False

    def containers(self, **_options: Any) -> list[dict[str, str]]:
        if self.error:
            raise self.error
        return self.listed

    def inspect_container(self, key: str) -> dict[str, Any]:
        self.inspected.append(key)
        if key == "gone":
            raise docker.errors.NotFound("no", explanation="No such container: gone")
        return {"Id": key, "State": {"Status": "running"}}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def made(client: Client) -> DockerEngine:
    found = DockerEngine("/nowhere")
    found._client = client
    return found


def test_only_what_changed_is_inspected(made: DockerEngine, client: Client) -> None:
    assert [c.id for c in made.containers()] == ["1"]
    made.containers()
    assert client.inspected == ["1"]
    client.listed[0]["Status"] = "Up 2 seconds"
    made.containers()
    assert client.inspected == ["1", "1"]


def test_what_is_gone_is_forgotten(made: DockerEngine, client: Client) -> None:
    made.containers()
    client.listed = []
    assert made.containers() == []
    assert made._known == {}


def test_a_container_may_vanish_while_it_is_listed(made: DockerEngine, client: Client) -> None:
    client.listed.append({"Id": "gone", "State": "running", "Status": "Up"})
    assert [c.id for c in made.containers()] == ["1"]


def response(status: int) -> requests.Response:
    found = requests.Response()
    found.status_code = status
    return found


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (docker.errors.NotFound("x", response(404), "No such container: a"), engine.NotFoundError),
        (docker.errors.APIError("x", response(409), 'The name "/a" is already in use'), engine.NameTakenError),
        (docker.errors.APIError("x", response(409), "removal is in progress"), engine.RefusedError),
        (docker.errors.APIError("x", response(500), "no such device"), engine.RefusedError),
        (requests.exceptions.ConnectionError("refused"), engine.EngineUnreachableError),
        (requests.exceptions.ReadTimeout("slow"), engine.EngineUnreachableError),
        (docker.errors.DockerException("while fetching the version"), engine.EngineUnreachableError),
    ],
)
def test_failures_come_in_four_kinds(
    made: DockerEngine, client: Client, error: Exception, kind: type[Exception]
) -> None:
    client.error = error
    with pytest.raises(engine.EngineError) as caught:
        made.containers()
    assert type(caught.value) is kind


def test_docker_s_own_words_are_kept(made: DockerEngine, client: Client) -> None:
    client.error = docker.errors.APIError("500 Server Error", response(500), "no such\n device.")
    with pytest.raises(engine.RefusedError, match=r"^no such device$"):
        made.containers()


def test_the_systems_words_are_found_inside_three_wrappings(made: DockerEngine, client: Client) -> None:
    inner = ConnectionRefusedError(111, "Connection refused")
    client.error = requests.exceptions.ConnectionError(Exception("Connection aborted.", inner))
    with pytest.raises(engine.EngineUnreachableError, match=r"^Connection refused$"):
        made.containers()


def test_a_lost_connection_makes_a_new_client(made: DockerEngine, client: Client) -> None:
    client.error = requests.exceptions.ConnectionError("gone")
    with pytest.raises(engine.EngineUnreachableError):
        made.containers()
    assert client.closed
    assert made._client is None


def test_no_socket_is_unreachable() -> None:
    with pytest.raises(engine.EngineUnreachableError):
        DockerEngine("/nowhere/docker.sock").version()


class Execs(Client):
    """Commands inside of a container: `left` says how many looks it takes until one has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[list[str]] = []
        self.left = 1
        self.forgotten = False

    def exec_create(self, _container: str, command: list[str], **_options: Any) -> dict[str, str]:
        self.begun.append(command)
        return {"Id": f"e{len(self.begun)}"}

    def exec_start(self, _exec: str, *, detach: bool) -> None:
        assert detach

    def exec_inspect(self, _exec: str) -> dict[str, Any]:
        self.left -= 1
        if self.forgotten:
            self.forgotten = False
            raise docker.errors.NotFound("no", explanation="No such exec instance")
        if self.left == 1:
            return {"Running": False, "ExitCode": None}
        return {"Running": self.left > 0, "ExitCode": 3}


def test_a_command_inside_gives_its_exit_code(made: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npu_agent.docker_engine.EXEC_POLL_S", 0)
    execs = Execs()
    made._client = execs
    execs.left = 3
    assert made.run_inside("1", ["check"], 60) == 3
    assert execs.begun == [["check"]]


def test_a_command_that_hangs_is_not_joined_by_a_second_one(made: DockerEngine) -> None:
    execs = Execs()
    made._client = execs
    execs.left = 1000
    assert made.run_inside("1", ["check"], 0) is None
    assert made.run_inside("1", ["check"], 0) is None
    assert len(execs.begun) == 1
    execs.left = 1
    made.run_inside("1", ["check"], 0)
    assert len(execs.begun) == 2
    execs.forgotten = True  # the container was restarted
    assert made.run_inside("1", ["check"], 60) == 3


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("manifest for ours/a:1 not found: manifest unknown", engine.NotFoundError),
        ("pull access denied for ours/a", engine.DeniedError),
        ("unauthorized: authentication required", engine.DeniedError),
        ("no basic auth credentials", engine.DeniedError),
        ("unexpected EOF", engine.RefusedError),
    ],
)
def test_what_a_registry_says(words: str, kind: type[engine.EngineError]) -> None:
    assert type(docker_engine._pull_error(words)) is kind


def test_a_credential_is_the_registrys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    monkeypatch.setattr(docker_engine, "CREDENTIALS", path)
    assert docker_engine._credential("reg.example:5000/ours/a:1") == {}
    path.write_text(json.dumps({"auths": {"reg.example:5000": {"auth": "bWU6c2VjcmV0"}}}))
    found = docker_engine._credential("reg.example:5000/ours/a:1")
    assert (found["username"], found["password"]) == ("me", "secret")
    assert docker_engine._credential("other.example/ours/a:1") == {}
