"""Refusals with a cause and a remedy: raised anywhere, answered as RFC 9457 problem documents."""

from __future__ import annotations

from typing import Optional

from npu_agent import api

TITLES = {
    api.CODE_BAD_REQUEST: "The request is not understood",
    api.CODE_UNAUTHENTICATED: "A credential is needed",
    api.CODE_FORBIDDEN: "The credential does not allow this",
    api.CODE_NOT_FOUND: "There is nothing here",
    api.CODE_METHOD: "The method is not allowed here",
    api.CODE_TOO_LARGE: "The request is too large",
    api.CODE_RATE_LIMIT: "Too many failed attempts",
    api.CODE_INTERNAL: "The agent failed",
    api.CODE_INVALID_SPEC: "The workload spec is invalid",
    api.CODE_NPU_HELD: "An NPU is held by someone else",
    api.CODE_NPU_UNHEALTHY: "An NPU is not healthy",
    api.CODE_NPU_UNKNOWN: "There is no such NPU",
    api.CODE_NPU_SHORT: "The node has too few NPUs",
    api.CODE_WORKLOAD_EXISTS: "A different workload has this name",
    api.CODE_WORKLOAD_BUSY: "The workload is being changed",
    api.CODE_DOCKER: "Docker does not answer",
    api.CODE_DOCKER_REFUSED: "Docker refused the container",
    api.CODE_IMAGE_MISSING: "The image is not on this node",
    api.CODE_POLICY: "The node's container policy cannot be read",
    api.CODE_POLICY_UNSAFE: "The node's container policy is not root's",
    api.CODE_CORDONED: "The node is cordoned",
    api.CODE_NPU_CORDONED: "An NPU is cordoned",
    api.CODE_CORDON_OWNER: "The cordon is another's",
    api.CODE_RESERVATION_GONE: "The reservation is gone",
    api.CODE_RESERVATION_OTHER: "The reservation is for something else",
    api.CODE_PRECONDITION: "The workload is not as the request expects",
    api.CODE_TIMEOUT: "The request did not arrive in time",
    api.CODE_STATE_WRITE: "The agent's state cannot be written",
}
GUARD_TITLE = "A guard refused the workload"


class ProblemError(Exception):
    """A refusal that the caller may read: `detail` is the cause, `remedy` what to do about it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        remedy: str = "",
        *,
        holder: Optional[api.Holder] = None,
        npu: Optional[int] = None,
        field: Optional[str] = None,
    ) -> None:
        super().__init__(detail)
        self.problem = api.Problem(
            type=api.PROBLEM_TYPE_PREFIX + code,
            title=TITLES.get(code, GUARD_TITLE),
            status=status,
            detail=detail,
            code=code,
            remedy=remedy,
            holder=holder,
            npu=npu,
            field=field,
        )

    def __str__(self) -> str:
        return f"{self.problem.detail} {self.problem.remedy}".strip()


def invalid(field: str, detail: str, remedy: str = "") -> ProblemError:
    return ProblemError(
        422, api.CODE_INVALID_SPEC, detail, remedy or "Correct the field and send it again.", field=field
    )


def guard(code: str, detail: str, remedy: str, *, field: Optional[str] = None) -> ProblemError:
    return ProblemError(422, code, detail, remedy, field=field)


def docker_unreachable(cause: object) -> ProblemError:
    return ProblemError(
        503,
        api.CODE_DOCKER,
        f"Docker does not answer: {cause}.",
        "See `systemctl status docker`; the agent goes on by itself once Docker answers.",
    )
