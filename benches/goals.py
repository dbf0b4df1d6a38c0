"""Prints what mcp-bridge reaches of the ceiling, and what it holds of its goals.

    goals.py FOLDER

FOLDER holds the result lines that compare.sh wrote: a JSON object a line. A cell is the median
over the rounds; what was not measured is a dash.
"""

import json
import pathlib
import statistics
import sys

OURS, CEILING = "mcp-bridge", "limit"
CONNECTIONS = 64
PROTOCOL = "2025-11-25"

# Workload, and the least share of the ceiling's requests per second; None: no goal is set.
SHARES = [
    ("rest-point", 0.70),
    ("rest-list", None),
    ("rest-post", None),
    ("sqlite-point", 0.50),
    ("sqlite-rows", None),
    ("tools-list", 0.90),
]

KIB_PER_MB = 1e6 / 1024

# Title, kind of line, field, units of the field in one of the title's, decimals, and the most
# that it may be, as words and as a test; None: no goal is set.
AMOUNTS = [
    ("sessions: KiB for each of those opened and left", "sessions", "kib_per_session", 1, 3, None),
    ("resident after start, MB", "cold", "idle_rss_kib", KIB_PER_MB, 1, ("≤ 35", lambda value: value <= 35)),
    ("resident after the load of large answers, MB", "after-load", "server_rss_kib", KIB_PER_MB, 1, None),
    ("start to first answered call, ms", "cold", "first_answer_ms", 1, 1, ("< 100", lambda value: value < 100)),
]


def read(folder):
    """Every result line of the folder, but for those of runs in which a request failed."""
    lines = []
    for file in sorted(pathlib.Path(folder).glob("*.jsonl")):
        for text in file.read_text().splitlines():
            if text.startswith("{"):
                lines.append(json.loads(text))
    return [line for line in lines if not line.get("errors")]


def median(lines, target, field, **same):
    """The median of a field over the lines of a target in which these fields are the same."""
    found = [
        line[field]
        for line in lines
        if line.get("target") == target
        and line.get(field) is not None
        and all(line.get(name) == value for name, value in same.items())
    ]
    return statistics.median(found) if found else None


def number(value, decimals):
    return "–" if value is None else f"{value:.{decimals}f}"


def verdict(value, test):
    if test is None:
        return "–"
    if value is None:
        return "not measured"
    return "yes" if test(value) else "no"


def share_rows(lines):
    for workload, least in SHARES:
        same = {"kind": None, "workload": workload, "conns": CONNECTIONS, "protocol": PROTOCOL}
        ours, ceiling = (median(lines, target, "rps", **same) for target in (OURS, CEILING))
        share = ours / ceiling if ours is not None and ceiling else None
        goal = "–" if least is None else f"≥ {least:.2f}"
        test = None if least is None else lambda value, least=least: value >= least
        yield [f"{workload}: requests per second", number(ours, 0), number(ceiling, 0), number(share, 2), goal, verdict(share, test)]


def amount_rows(lines):
    for title, kind, field, unit, decimals, most in AMOUNTS:
        values = [median(lines, target, field, kind=kind) for target in (OURS, CEILING)]
        ours, ceiling = (None if value is None else value / unit for value in values)
        goal, test = most or ("–", None)
        yield [title, number(ours, decimals), number(ceiling, decimals), "–", goal, verdict(ours, test)]


def main(folder):
    lines = read(folder)
    print(f"## Goals ({CONNECTIONS} connections, protocol {PROTOCOL})\n")
    print(f"| what | {OURS} | {CEILING} | share | goal | met |")
    print("|---|---|---|---|---|---|")
    for row in [*share_rows(lines), *amount_rows(lines)]:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: goals.py FOLDER")
    main(sys.argv[1])
