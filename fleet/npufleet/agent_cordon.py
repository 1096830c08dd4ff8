"""Cordon and drain through one agent's API, for whoever owns the mark: a rollout or an operator."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from npu_agent import api
from npufleet.agent_client import AgentClient, T
from npufleet.agent_errors import RefusedError


def cordons(client: AgentClient) -> api.Cordons:
    return client._read(api.Cordons, client._get("/v1/cordon"))  # noqa: SLF001  # one client in two modules


def cordon(client: AgentClient, owner: str, reason: str) -> api.Cordons:
    return _change(client, api.Cordons, "PUT", "/v1/cordon", {"owner": owner, "reason": reason})


def uncordon(client: AgentClient, owner: str) -> None:
    """Lift the owner's mark and end its drain; that it is gone already, alone or beside another's, is fine."""
    try:
        _change(client, api.Cordons, "DELETE", f"/v1/cordon?owner={quote(owner, safe='')}")
    except RefusedError as error:
        if error.document.code != api.CODE_CORDON_OWNER:
            raise


def drain(client: AgentClient) -> api.Drain:
    return client._read(api.Drain, client._get("/v1/drain"))  # noqa: SLF001


def start_drain(client: AgentClient, owner: str, reason: str, mode: str, deadline_s: int | None) -> api.Drain:
    body: dict[str, Any] = {"owner": owner, "reason": reason, "mode": mode}
    if deadline_s is not None:
        body["deadline_s"] = deadline_s
    return _change(client, api.Drain, "PUT", "/v1/drain", body)


def _change(client: AgentClient, kind: type[T], method: str, path: str, body: Any = None) -> T:
    answer = client._call(method, path, scope=api.SCOPE_OPERATE, body=body)  # noqa: SLF001
    return client._read(kind, answer.document)  # noqa: SLF001
