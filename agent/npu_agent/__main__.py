"""Entry point of `python -m npu_agent` and of the packed agent."""

from __future__ import annotations

import sys

from npu_agent.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
