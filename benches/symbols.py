"""The functions that calls run, from what `benches/order` recorded: the name of each, a line each.

First come those that every workload runs, then those of fewer, those of the same ones side by side, and of
these the most called first. What fewer than one call in five runs is left where it is.
"""

import collections
import json
import pathlib
import re
import sys

ENOUGH = 0.2


def calls(trace):
    """How often each function of the program was called."""
    names = {"ob": {}, "fn": {}}

    def named(kind, text):
        number, name = re.fullmatch(r"\((\d+)\)(?: (.*))?", text).groups()
        if name is not None:
            names[kind][number] = name
        return names[kind].get(number, "")

    count = collections.Counter()
    here = there = callee = None
    for line in trace:
        key, _, value = line.rstrip("\n").partition("=")
        if key == "ob":
            here = named("ob", value)
        elif key == "cob":
            there = named("ob", value)
        elif key == "fn":
            named("fn", value)
        elif key == "cfn":
            callee = named("fn", value)
        elif key == "calls":
            if (there or here).endswith("/mcp-bridge"):
                # A function that calls itself has a name for each depth.
                count[re.sub(r"'\d+$", "", callee)] += int(value.split()[0])
            there = None
    return count


def ordered(work, profile, workloads):
    rates = collections.defaultdict(dict)
    for workload in workloads:
        requests = json.loads((work / f"{profile}.{workload}.run").read_text())["requests"]
        with open(work / f"{profile}.{workload}.calls") as trace:
            for name, count in calls(trace).items():
                if count >= ENOUGH * requests:
                    rates[name][workload] = count / requests
    return sorted(rates, key=lambda name: (-len(rates[name]), sorted(rates[name]), -max(rates[name].values()), name))


def main():
    work, workloads = pathlib.Path(sys.argv[1]), sys.argv[2:]
    print("# Written by benches/order: the functions that calls run, those of `release` and those of `dist`.")
    for profile in ("release", "dist"):
        for name in ordered(work, profile, workloads):
            if re.fullmatch(r"[\w.$]+", name):
                print(name)


main()
