"""The same job for other ways to run it: docker run lines, a systemd unit, Kubernetes, Volcano."""

from __future__ import annotations
