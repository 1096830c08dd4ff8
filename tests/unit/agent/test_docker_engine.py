from __future__ import annotations

from typing import Any, Optional

import docker.errors
import pytest
import requests

from npu_agent import engine
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
