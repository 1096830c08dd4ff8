"""Lines and units for certain nodes: each node's agent tells which container the job would be there."""

from __future__ import annotations

from collections.abc import Iterator

from npu_agent import api, api_plan
from npufleet import placement, survey
from npufleet.errors import UsageError
from npufleet.fleet import Fleet
from npufleet.job import ranks
from npufleet.job.reserve import choose
from npufleet.jobs import Job
from npufleet.render import docker, systemd

DOCKER = "/usr/bin/docker"
FOLDER = "/var/lib/npufleet-render"


def _planned(fleet: Fleet, job: Job) -> Iterator[tuple[str, api.WorkloadSpec, api_plan.Plan]]:
    """Each rank's node, spec and plan. The rank table is made of the NPUs that are free now."""
    if job.layout is None:
        node = job.node or placement.candidates(_npus(job.spec), survey.take(fleet))[0].node.name
        yield node, job.spec, fleet.client(node).plan(job.spec)
        return
    base = ranks.common(job.spec, job.layout)
    chosen = choose(base, job.layout, survey.take(fleet), frozenset())[: job.layout.count]
    first = {status.node.name: fleet.client(status.node.name).plan(base) for status in chosen}
    members = [ranks.member(status, first[status.node.name].npus) for status in chosen]
    for member, spec in zip(members, ranks.specs(base, job.layout, members, {}), strict=True):
        yield member.node, spec, fleet.client(member.node).plan(spec)


def _npus(spec: api.WorkloadSpec) -> object:
    return spec.npus if spec.npus is not None else api.PROFILE_NPUS[spec.profile]


def script(fleet: Fleet, job: Job) -> dict[str, str]:
    found = {}
    for node, spec, plan in _planned(fleet, job):
        folder = f"{FOLDER}/{spec.name}"
        words = docker.arguments(spec.name, docker.relocated(plan.body, spec.files, folder))
        found[node] = "\n".join([*docker.file_lines(spec.files, folder), docker.line(words), ""])
    return found


def units(fleet: Fleet, job: Job) -> dict[str, str]:
    found = {}
    for node, spec, plan in _planned(fleet, job):
        if spec.files:
            raise UsageError(
                "A systemd unit cannot carry the job's files.",
                code="invalid-spec",
                remedy="Put them on the nodes (npufleet push) and mount them, or render --as docker.",
            )
        words = docker.arguments(spec.name, plan.body, detach=False)
        found[node] = systemd.unit(spec.name, DOCKER, words, spec.restart, spec.stop_grace_s)
    return found
