"""The checks that the simulator does not pass yet: waiting.toml."""

import pathlib
import tomllib

from recording import number


def listed(release, recorded):
    """The reason by check, for the checks that are listed for this release; `recorded` has values by release."""
    out, known = {}, set().union(*recorded.values())
    groups = tomllib.loads((pathlib.Path(__file__).parent / "waiting.toml").read_text())["waiting"]
    for group in groups:
        for entry in group["checks"]:
            name, _, releases = entry.partition(" @ ")
            assert name in known, f"{name} is listed, and no release has it"
            if name in recorded[release] and covers(releases, release):
                assert name not in out, f"{name} is listed twice for {release}"
                out[name] = f"issue {group['issue']}"
    return out


def covers(releases, release):
    """Whether `2.8.2`, `2.4.1..`, `..1.1.1` or several of them with commas has the release; the empty text has all."""
    for part in releases.split(","):
        low, dots, high = part.strip().partition("..")
        if not dots and low in ("", release):
            return True
        if dots and number(low or "0") <= number(release) <= number(high or "99"):
            return True
    return False
