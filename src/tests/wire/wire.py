#!/usr/bin/env python3
"""What brokers answer on the wire, compared with what real ones of the same release answered.

  wire.py compare RELEASE --bootstrap HOST:PORT    asks a cluster of `sim serve`; exit status 1 where an answer differs
                                                   that waiting.toml does not name, or one that it names does not differ
  wire.py confirm RELEASE --bootstrap HOST:PORT    asks a real cluster: each answer has to be the recorded one
  wire.py record RELEASE --bootstrap HOST:PORT     asks a real cluster, and writes its answers into recorded/
  wire.py list                                     names of all checks

Nothing is started here. The cluster has three brokers, 1, 2 and 3, with defaults but for: one partition in the internal
topics, group.initial.rebalance.delay.ms=0, num.partitions=1. Topics are made with one replica, on the first broker,
unless a check says otherwise. Every run takes fresh names, so it can be repeated on the same cluster.

A check is a function of the folder checks; what it returns is the recorded value (`session.py`). Several checks run at
the same time, each on connections of its own. schema.txt has the fields of requests and answers: number, name,
direction, versions, flexible versions, fields, where a field is
name:type @versions ?versions-in-which-it-may-be-null #tag@versions =default.
"""

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import recording
import waiting
from checks import CHECKS
from session import Session, perform

# Checks that wait for long begin first.
LONG = (
    "member.",
    "txn.",
    "reassign.",
    "find-coordinator",
    "delete-topics",
    "fetch.where",
    "init-producer-id",
)


def selected(only, names=None):
    wanted = [n for n in sorted(CHECKS) if not only or any(o in n for o in only)]
    wanted = [n for n in wanted if names is None or n in names or n + ".text" in names]
    return sorted(wanted, key=lambda n: not n.startswith(LONG))


def run(a, apis, names):
    """The values of the checks, by name, as the cluster answers now."""
    hopeless, sessions, values = set(), threading.local(), {}

    def ask(name):
        if not hasattr(sessions, "own"):
            sessions.own = Session(a.bootstrap, apis, a.timeout, a.patience, hopeless)
        start = time.time()
        got = perform(sessions.own, name)
        if a.times:
            print(f"{time.time() - start:6.2f} s  {name}", file=sys.stderr)
        return got

    with ThreadPoolExecutor(a.together) as threads:
        for got in threads.map(ask, names):
            values.update(got)
    return values


def differences(expected, got, path=""):
    absent = "(absent)"
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(g for g in got if g not in expected)]:
            yield from differences(expected.get(key, absent), got.get(key, absent), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for n, (e, g) in enumerate(zip(expected, got)):
            yield from differences(e, g, f"{path}/{n}")
    elif expected != got:
        texts = isinstance(expected, list) and isinstance(got, list)
        if texts and all(isinstance(x, str) for x in expected + got):
            # Of long lists of names only what one has and the other has not.
            missing, more = [x for x in expected if x not in got], [x for x in got if x not in expected]
            expected, got = (missing, more) if missing or more else (expected, got)
        yield path or "/", expected, got


def short(value, limit=300):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[:limit] + "…"


def show(name, found, note, most=8):
    print(f"{note}  {name}")
    for path, expected, got in found[:most]:
        print(f"    {path}: expected {short(expected)}, got {short(got)}")
    if len(found) > most:
        print(f"    … and {len(found) - most} more places")


def compare(a):
    apis, recorded = recording.load()
    expected = recorded[a.release]
    listed = {} if a.command == "confirm" else waiting.listed(a.release, recorded)
    names = selected(a.only, expected)
    got = run(a, apis[a.release], names)

    def differs(part):
        return list(differences(expected[part], got.get(part, "(absent)")))

    parts = sorted(part for n in names for part in (n, n + ".text") if part in expected)
    # A busy machine may have kept one waiting: what is wrong has to be wrong again with nothing beside it.
    again = {part.removesuffix(".text") for part in parts if part not in listed and differs(part)}
    a.together = 1
    got.update(run(a, apis[a.release], sorted(again)))
    right = waits = wrong = 0
    for part in parts:
        found = differs(part)
        if found and part in listed:
            waits += 1
        elif found:
            wrong += 1
            show(part, found, "differs")
        elif part in listed:
            wrong += 1
            show(part, [], f"right, but listed in waiting.toml ({listed[part]}); strike it out:")
        else:
            right += 1
    print(f"{a.release}: {right} right, {waits} wait as listed, {wrong} not as expected")
    return 1 if wrong else 0


def record(a):
    apis, recorded = recording.load()
    kept = {} if not a.only else recorded.get(a.release, {})
    now = Session(a.bootstrap, None, a.timeout)
    recorded[a.release] = {**kept, **run(a, None, selected(a.only))}
    apis[a.release] = now.apis
    recording.save(apis, recorded)
    return 0


def addresses(text):
    return [(host, int(port)) for host, port in (one.rsplit(":", 1) for one in text.split(","))]


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    commands = p.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    for command in ("compare", "confirm", "record"):
        c = commands.add_parser(command)
        c.add_argument("release")
        c.add_argument("--bootstrap", required=True, type=addresses)
        c.add_argument("--only", action="append", help="checks whose name contains this text")
        c.add_argument("--timeout", type=float, default=8, help="seconds for an answer")
        c.add_argument("--patience", type=float, default=5, help="seconds to wait for a coordinator")
        c.add_argument("--together", type=int, default=8, help="checks at the same time")
        c.add_argument("--times", action="store_true", help="print what each check took")
    a = p.parse_args()
    if a.command == "list":
        print("\n".join(sorted(CHECKS)))
        return 0
    return record(a) if a.command == "record" else compare(a)


if __name__ == "__main__":
    sys.exit(main())
