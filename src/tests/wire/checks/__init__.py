"""All checks: importing this folder fills `CHECKS`."""

from checks import cluster, fetch, frames, groups, metadata, produce, producers, topics
from registry import CHECKS

__all__ = ["CHECKS", "cluster", "fetch", "frames", "groups", "metadata", "produce", "producers", "topics"]
