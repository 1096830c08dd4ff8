"""The Docker engine through its SDK's low-level client: 18.09 to current, imported late, one client for all threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from npu_agent import engine
from npu_agent.engine import Container

TIMEOUT_S = 30
PULL_SILENCE_S = 120
EXEC_POLL_S = 0.1
CREDENTIALS = Path("/root/.docker/config.json")
FOREVER_S = 20 * 24 * 3600  # the longest that poll() can count in milliseconds


class DockerEngine:
    """Implements engine.Engine. A lost connection drops the client; the next call makes a new one."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._url = f"unix://{socket}"
        self._lock = threading.Lock()
        self._client: Any = None
        self._known: dict[tuple[str, str, str], Container] = {}
        self._hanging: dict[str, str] = {}  # the last command inside of a container

    def _connect(self) -> Any:
        import docker  # noqa: PLC0415  # 160 ms and 18 MB: never before the first answer

        with self._lock:
            if self._client is None:
                if not Path(self._socket).is_socket():  # the SDK would leave an open socket behind at every attempt
                    raise engine.EngineUnreachableError(f"{self._socket} is not there")
                self._client = docker.APIClient(base_url=self._url, version="auto", timeout=TIMEOUT_S)
            return self._client

    def _drop(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    @contextlib.contextmanager
    def _call(self) -> Iterator[Any]:
        import docker.errors  # noqa: PLC0415  # see _connect
        import requests.exceptions  # noqa: PLC0415  # see _connect

        try:
            yield self._connect()
        except docker.errors.NotFound as error:
            raise engine.NotFoundError(_words(error)) from error
        except docker.errors.APIError as error:
            if error.status_code == 409 and "already in use" in _words(error):
                raise engine.NameTakenError(_words(error)) from error
            raise engine.RefusedError(_words(error)) from error
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            self._drop()
            raise engine.EngineUnreachableError(_words(error)) from error

    def version(self) -> str:
        with self._call() as client:
            return str(client.version().get("Version", ""))

    def containers(self) -> list[Container]:
        """List cheaply, and inspect only what changed: Docker's list alone does not tell devices or exit codes.

        A container whose state and status text ("Up 2 hours") are as before is as before.
        """
        with self._call() as client:
            known: dict[tuple[str, str, str], Container] = {}
            for item in client.containers(all=True):
                key = (item["Id"], item.get("State", ""), item.get("Status", ""))
                found = self._known.get(key) or self._inspect_listed(client, item["Id"])
                if found is not None:
                    known[key] = found
        self._known = known
        return list(known.values())

    @staticmethod
    def _inspect_listed(client: Any, container: str) -> Optional[Container]:
        import docker.errors  # noqa: PLC0415  # see _connect

        try:
            return engine.from_inspect(client.inspect_container(container))
        except docker.errors.NotFound:  # gone since it was listed
            return None

    def inspect(self, container: str) -> Container:
        with self._call() as client:
            return engine.from_inspect(client.inspect_container(container))

    def image_exists(self, image: str) -> bool:
        try:
            with self._call() as client:
                client.inspect_image(image)
        except engine.NotFoundError:
            return False
        return True

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        with self._call() as client:
            return str(client.create_container_from_config(dict(body), name)["Id"])

    def start(self, container: str) -> None:
        with self._call() as client:
            client.start(container)

    def stop(self, container: str, grace_s: int) -> None:
        with self._call() as client:
            client.stop(container, timeout=grace_s)

    def remove(self, container: str) -> None:
        with self._call() as client:
            client.remove_container(container, force=True, v=True)

    def run_inside(self, container: str, command: Sequence[str], timeout_s: float) -> Optional[int]:
        """The command's exit code, or None where it did not end in time; then no other is begun before it has."""
        with self._call() as client:
            if self._still_runs(client, self._hanging.get(container)):
                return None
            begun = client.exec_create(container, list(command), stdout=False, stderr=False)["Id"]
            self._hanging[container] = begun
            client.exec_start(begun, detach=True)
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                told = client.exec_inspect(begun)
                # A busy engine says that it has ended before it knows how: no code is not the code 0.
                if not told.get("Running") and told.get("ExitCode") is not None:
                    self._hanging.pop(container, None)
                    return int(told["ExitCode"])
                time.sleep(EXEC_POLL_S)
        return None

    @staticmethod
    def _still_runs(client: Any, command: Optional[str]) -> bool:
        import docker.errors  # noqa: PLC0415  # see _connect

        try:
            return command is not None and bool(client.exec_inspect(command).get("Running"))
        except docker.errors.NotFound:  # it ended with the run of the container that it was in
            return False

    def pull(self, image: str) -> Iterator[Mapping[str, Any]]:
        """Docker's own events; a pull that says nothing for long is given up."""
        import docker  # noqa: PLC0415  # see _connect
        import requests.exceptions  # noqa: PLC0415  # see _connect

        class Impatient(docker.APIClient):  # type: ignore[misc]  # the SDK has no types
            """The SDK would wait for a silent pull for ever."""

            def post(self, url: str, **options: Any) -> Any:
                options["timeout"] = PULL_SILENCE_S
                return super().post(url, **options)

        with self._call() as client:
            puller = Impatient(base_url=self._url, version=client.api_version, timeout=TIMEOUT_S)
            try:
                for event in puller.pull(image, stream=True, decode=True, auth_config=_credential(image)):
                    if event.get("error"):
                        raise _pull_error(str(event["error"]))
                    yield event
            except docker.errors.APIError as error:
                raise _pull_error(_words(error)) from error
            except requests.exceptions.RequestException as error:
                if "timed out" in str(error).lower():
                    raise engine.RefusedError(f"nothing came for {PULL_SILENCE_S} s") from error
                raise
            finally:
                puller.close()

    def logs(
        self,
        container: str,
        *,
        tail: Optional[int],
        follow: bool,
        since_s: Optional[float] = None,
        timestamps: bool = False,
    ) -> engine.LogStream:
        """A follower has its own client: it may stay silent for hours, and closing it must not touch the others."""
        import docker  # noqa: PLC0415  # see _connect

        with self._call() as client:
            reader = docker.APIClient(
                base_url=self._url, version=client.api_version, timeout=FOREVER_S if follow else TIMEOUT_S
            )
            try:
                stream = reader.logs(
                    container,
                    stream=True,
                    follow=follow,
                    tail="all" if tail is None else tail,
                    since=since_s or None,  # the SDK takes no zero
                    timestamps=timestamps,
                )
            except BaseException:
                reader.close()
                raise
            return _DockerLogs(reader, stream)


class _DockerLogs:
    def __init__(self, client: Any, stream: Any) -> None:
        self._client = client
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except Exception:  # noqa: BLE001  # a closed or broken stream ends the log; the SDK raises many kinds here
            return

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._stream.close()
        with contextlib.suppress(Exception):
            self._client.close()


def _credential(image: str) -> dict[str, Any]:
    """What root has for the image's registry. The SDK would look in the home of whoever it thinks it is."""
    from docker import auth, utils  # noqa: PLC0415  # see _connect

    registry, _ = auth.resolve_repository_name(utils.parse_repository_tag(image)[0])
    known = auth.load_config(config_path=str(CREDENTIALS)) if CREDENTIALS.exists() else auth.AuthConfig({})
    return known.resolve_authconfig(registry) or {}


def _pull_error(words: str) -> engine.EngineError:
    lower = words.lower()
    if "not found" in lower or "manifest unknown" in lower:
        return engine.NotFoundError(words)
    if "denied" in lower or "unauthorized" in lower or "no basic auth" in lower:
        return engine.DeniedError(words)
    return engine.RefusedError(words)


def _words(error: BaseException) -> str:
    """Docker's own sentence, or the system's, without the wrapping of three libraries."""
    explanation = getattr(error, "explanation", None)
    text = explanation if isinstance(explanation, str) and explanation else _system_words(error) or str(error)
    return " ".join(text.split()).rstrip(".")


def _system_words(error: BaseException) -> Optional[str]:
    for inner in (error, *error.args):
        if isinstance(inner, OSError) and inner.errno is not None and inner.strerror:
            return inner.strerror
        found = _system_words(inner) if isinstance(inner, BaseException) and inner is not error else None
        if found:
            return found
    return None
