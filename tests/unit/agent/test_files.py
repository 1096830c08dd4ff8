from __future__ import annotations

from pathlib import Path

import pytest

from npu_agent import api, files
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, spec

TABLE = {"target": "/etc/npufleet-job/rank_table.json", "text": '{"version": "1.0"}'}


def test_a_file_is_written_for_the_container_and_gone_with_the_workload(bench: Bench) -> None:
    bench.workloads.put("job", spec(files=[TABLE]))
    source = bench.folder / "files" / "job" / "0"
    assert source.read_text(encoding="utf-8") == TABLE["text"]
    assert source.stat().st_mode & 0o777 == 0o644
    made = bench.engine.documents[bench.workloads.get("job").container_id or ""]
    mounts = [mount for mount in made["HostConfig"]["Mounts"] if mount["Target"] == TABLE["target"]]
    assert mounts == [{"Type": "bind", "Source": str(source), "Target": TABLE["target"], "ReadOnly": True}]
    bench.workloads.delete("job")
    assert not source.parent.exists()


def test_a_file_that_is_lost_is_back_at_the_next_start(bench: Bench) -> None:
    bench.workloads.put("job", spec(files=[TABLE]))
    files.Files(bench.folder / "files").remove("job")
    bench.workloads.restart("job")
    assert (bench.folder / "files/job/0").is_file()


def test_a_folder_that_cannot_be_made_is_told_and_nothing_is_left(bench: Bench) -> None:
    (bench.folder / "files").write_text("in the way", encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        bench.workloads.put("job", spec(files=[TABLE]))
    assert (caught.value.problem.code, bench.leased()) == (api.CODE_STATE_WRITE, {})


@pytest.mark.parametrize(
    ("target", "code"),
    [("/proc/x", api.GUARD_MOUNT), ("/home/ma-user", api.GUARD_HOME), ("/data/x.json", api.CODE_INVALID_SPEC)],
)
def test_a_file_in_a_bad_place_is_refused(bench: Bench, tmp_path: Path, target: str, code: str) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    bench.policy = type(bench.policy)(mount_roots=(str(tmp_path),))
    wanted = spec(mounts=[{"source": str(folder), "target": "/data"}], files=[{"target": target, "text": "x"}])
    with pytest.raises(ProblemError) as caught:
        bench.workloads.put("job", wanted)
    assert caught.value.problem.code == code


def test_a_rehearsal_tells_the_body_and_leases_nothing(bench: Bench) -> None:
    plan = bench.workloads.rehearse("job", spec(npus=[4]))
    assert (plan.container, plan.npus, bench.leased(), bench.engine.documents) == ("npufleet-job", [4], {}, {})
    created, _ = bench.workloads.put("job", spec(npus=[4]))
    assert bench.engine.documents[created.container_id or ""]["HostConfig"] == plan.body["HostConfig"]
