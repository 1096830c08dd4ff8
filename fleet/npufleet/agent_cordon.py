"""Cordon and drain over an agent's API: who says so is always named, so that nobody lifts another's cordon."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence
from urllib.parse import urlencode

from npu_agent import api
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import RefusedError


def operator() -> str:
    """Whose cordon it is: who runs this command, and where."""
    return f"{getpass.getuser()}@{socket.gethostname()}"[:128]


def cordons(client: AgentClient) -> api.Cordons:
    return client.view(api.Cordons, "/v1/cordon")


def cordon(client: AgentClient, owner: str, reason: str = "", npus: Sequence[int] = ()) -> api.Cordons:
    body = {"owner": owner, "reason": reason, **({"npus": list(npus)} if npus else {})}
    return client.operate(api.Cordons, "PUT", "/v1/cordon", body)


def uncordon(client: AgentClient, owner: str, npus: Sequence[int] = (), *, force: bool = False) -> api.Cordons:
    asked = {"owner": owner, **({"force": "1"} if force else {})}
    found = api.Cordons()
    for query in [{**asked, "npu": str(npu)} for npu in npus] or [asked]:
        found = client.operate(api.Cordons, "DELETE", f"/v1/cordon?{urlencode(query)}")
    return found


def lift(client: AgentClient, owner: str) -> None:
    """Lift the owner's mark and end its drain; that it is gone already, alone or beside another's, is fine."""
    try:
        uncordon(client, owner)
    except RefusedError as error:
        if error.document.code != api.CODE_CORDON_OWNER:
            raise


def drain(client: AgentClient, owner: str, reason: str, mode: str, deadline_s: int | None) -> api.Drain:
    body = {"owner": owner, "reason": reason, "mode": mode}
    return client.operate(
        api.Drain, "PUT", "/v1/drain", {**body, **({} if deadline_s is None else {"deadline_s": deadline_s})}
    )


def drained(client: AgentClient) -> api.Drain:
    return client.view(api.Drain, "/v1/drain")
