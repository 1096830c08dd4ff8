"""The main job on a mixed fleet: from bare to ready, the work that was there untouched, nothing to do after."""

from __future__ import annotations

import json
from typing import Any

from roles.mixed.conftest import DAEMON_JSON, IMAGE, check, running, wait_until_ready
from support.fleet import Fleet
from support.nodes import Node, wait_until


def test_from_bare_to_ready(prepared: Fleet) -> None:
    for node in prepared.nodes:
        wait_until_ready(node)
        health = node.get("/v1/health")
        assert health["ready"] is True, health["reasons"]
        assert {c["state"] for c in health["components"] if c["name"].startswith("npu/")} == {"healthy"}


def test_work_that_was_there_goes_on_untouched(prepared: Fleet, busy: Node, work: dict[str, Any]) -> None:
    assert set(work) == {"web", "training", "engine"}
    assert running(busy) == work


def test_the_operators_daemon_json_keeps_order_and_mode(prepared: Fleet, busy: Node) -> None:
    text = busy.run("cat /etc/docker/daemon.json")
    assert list(json.loads(text)) == [*json.loads(DAEMON_JSON), "live-restore"]
    assert json.loads(text)["log-opts"] == {"max-size": "20m", "max-file": "3"}
    assert text.startswith('{\n    "log-opts"')
    assert busy.run("stat -c %a /etc/docker/daemon.json").strip() == "640"
    assert busy.run("docker info --format '{{.LiveRestoreEnabled}}'").strip() == "true"


def test_a_site_file_that_sorts_last_does_not_win(prepared: Fleet) -> None:
    node = prepared.nodes[0]
    # Applied in the order of a boot, the last word is npufleet's.
    node.run("/lib/systemd/systemd-sysctl")
    assert node.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
    assert node.run("cat /proc/sys/net/ipv4/ip_local_reserved_ports").strip() == "8080,9100,60000-60031"


def test_ports_of_hccl_are_reserved_everywhere(prepared: Fleet) -> None:
    for node in prepared.nodes[1:]:
        assert node.run("cat /proc/sys/net/ipv4/ip_local_reserved_ports").strip() == "60000-60031"


def test_storage_is_mounted_for_the_images_user(prepared: Fleet) -> None:
    for node in prepared.nodes:
        assert "tmpfs" in node.run("grep ' /mnt/sfs_turbo ' /proc/self/mounts")
        owners = node.run("stat -c '%u:%g %a' /mnt/sfs_turbo/ws /data/cache").split("\n")
        assert owners[:2] == ["1000:100 755", "1000:100 750"]


def test_the_certificate_serves_https_to_a_client_of_the_fleet(prepared: Fleet) -> None:
    node = prepared.nodes[0]
    serve = "openssl s_server -quiet -accept 127.0.0.1:8443 -www -cert {0}/cert.pem -key {0}/key.pem"
    node.run("systemd-run --quiet --unit=https " + serve.format("/data/certificates"))
    ask = "curl -s --cacert /data/certificates/ca.pem --resolve llm.example.org:8443:127.0.0.1 https://llm.example.org:8443/"
    wait_until("an answer over HTTPS", 10, lambda: "s_server" in node.ssh(ask).stdout)
    node.run("systemctl stop https")
    assert node.run("stat -c '%u:%g %a' /data/certificates/key.pem").strip() == "1000:100 600"


def test_second_run_changes_nothing(prepared: Fleet) -> None:
    check(prepared.playbook("site.yml"), prepared, changed=False)


def test_restart_that_is_allowed_leaves_containers_running(prepared: Fleet, busy: Node, work: dict[str, Any]) -> None:
    answer = busy.put_workload("job", image=IMAGE, npus=4, command=["sleep", "86400"])
    assert answer.status_code in {200, 201}, answer.text
    wait_until("job runs", 20, lambda: busy.get("/v1/workloads/job")["state"] == "running")
    before = running(busy)
    allow = ["--tags", "docker", "--limit", busy.name, "-e", '{"docker_restart_allowed": true}']
    done, _ = prepared.playbook("playbooks/prepare.yml", *allow)
    assert done.returncode == 0, done.stdout[-4000:]
    after = running(busy)
    assert after.pop("engine") != before.pop("engine"), "log-opts wait for a restart"
    assert after == before
    assert set(before) == {"web", "training", "npufleet-job"}
    busy.remove_workload("job")
