"""The checks by name. A check is a function that gets a session `k` and returns the value that is recorded."""


class Skip(Exception):
    """The release does not have what a check is about."""


CHECKS = {}


def check(name, texts=False):
    """Names the function below as a check; with `texts` the errors' words are a value of their own."""

    def add(function):
        CHECKS[name] = (function, texts)
        return function

    return add


def each(prefix, cases, texts=False):
    """One check for each of `cases` (name to argument), made by the same function."""

    def bind(function, argument):
        if isinstance(argument, tuple):
            return lambda k: function(k, *argument)
        return lambda k: function(k, argument)

    def add(function):
        for name, argument in cases.items():
            CHECKS[f"{prefix}.{name}"] = (bind(function, argument), texts)
        return function

    return add


def answers(k, api, body, to=None, pick=None):
    """The answer in every version of the release."""
    out = {}
    low, high = k.range(api)
    for v in range(low, high + 1):
        got = k.ask(api, body(v) if callable(body) else body, v=v, to=to)
        out[f"v{v}"] = pick(got) if pick and isinstance(got, dict) else got
    return out


def by_index(got):
    """An answer with the partitions of each topic in order: brokers that keep them by hash list them in any."""
    if isinstance(got, dict):
        for field, rows in got.items():
            if field in ("Partitions", "PartitionResponses"):
                rows.sort(key=lambda row: row.get("PartitionIndex", row.get("Index")))
            for row in rows if isinstance(rows, list) else ():
                by_index(row)
    return got
