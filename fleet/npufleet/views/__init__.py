"""What people see: plain functions from data to rich renderables, without any input or output of their own."""

from __future__ import annotations
