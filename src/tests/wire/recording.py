"""The recordings: a line for each check and each answer that it got, with the releases that gave it.

`recorded/SUBJECT.jsonl` has the checks whose name begins with SUBJECT; `recorded/releases.jsonl` the APIs of each
recorded release. Sorted, so that a recording made again shows in a diff what is another answer now.
"""

import json
import pathlib

FOLDER = pathlib.Path(__file__).parent / "recorded"


def number(release):
    return [int(part) for part in release.split(".")]


def subject(check):
    return check.split(".")[0]


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def load():
    """APIs by release, and by release the recorded values by check."""
    apis = {row["release"]: row["apis"] for row in rows(FOLDER / "releases.jsonl")}
    values = {release: {} for release in apis}
    for file in FOLDER.glob("*.jsonl"):
        if file.stem != "releases":
            for row in rows(file):
                for release in row["releases"]:
                    values[release][row["check"]] = row["answer"]
    return apis, values


def line(**row):
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def save(apis, values):
    """The opposite of `load`."""
    FOLDER.mkdir(exist_ok=True)
    releases = sorted(apis, key=number)
    said = {}
    for release in releases:
        for check, answer in values[release].items():
            said.setdefault((check, json.dumps(answer)), (answer, []))[1].append(release)
    texts = {"releases": "".join(line(release=r, apis=apis[r]) for r in releases)}
    for (check, _), (answer, of) in sorted(said.items(), key=lambda row: (row[0][0], number(row[1][1][0]))):
        name = subject(check)
        texts[name] = texts.get(name, "") + line(check=check, releases=of, answer=answer)
    for name, text in texts.items():
        (FOLDER / f"{name}.jsonl").write_text(text)
