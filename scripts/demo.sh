#!/bin/bash
# The main job on this machine: simulated nodes, prepared over SSH, one NPU container started through an agent.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
export ANSIBLE_CONFIG="$PWD/ansible.cfg" ANSIBLE_FORCE_COLOR=${ANSIBLE_FORCE_COLOR:-1}
lab=${NPUFLEET_LAB_NAME:-lab}
export NPUFLEET_INVENTORY="$PWD/inventory/$lab"
began=$SECONDS

step() { printf '\n\033[1m== %s\033[0m  (%ds)\n' "$1" "$((SECONDS - began))"; }

step "1/5 boot two simulated DevServer nodes: npufleet lab up"
npufleet lab up

step "2/5 prepare them over SSH: ansible-playbook site.yml"
ansible-playbook -i "$NPUFLEET_INVENTORY" site.yml

step "3/5 start a container on one NPU: npufleet run"
npufleet run npufleet-lab/busybox:1 --name hello-npu --node "$lab-1" --npus 1 \
  -- sh -c 'echo "this container has:"; ls /dev/davinci[0-9]*; exec sleep 86400'

step "4/5 its log: npufleet logs hello-npu"
npufleet logs hello-npu

step "5/5 the fleet: npufleet status"
npufleet status

cat <<'END'

The nodes stay up. To go on:
  source .venv/bin/activate
  npufleet ps                                          what runs where
  npufleet lab fault lab-2 npu=3 health=Alarm code=80E01801
  npufleet status                                      lab-2 says why it is not ready
  npufleet lab fault lab-2 heal
  npufleet lab ssh lab-1                               look around on a node
  make lab-down                                        remove everything
END
