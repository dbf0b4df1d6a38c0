// Holds what the conformance suite wrote down against exceptions.txt: node verdict.mjs RESULTS
//
// RESULTS has a folder for each revision, in it one for each scenario, in that `checks.json`. The suite lets warnings
// and skipped checks pass; here a check holds only as SUCCESS or INFO, and everything else needs a line with a reason.
// So does a scenario in which nothing was decided: what was not looked at has not passed.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const HELD = new Set(["SUCCESS", "INFO"]);
const DECIDED = new Set(["SUCCESS", "FAILURE"]);

/** Lines `revision scenario[:check] reason`; `#` begins a comment. */
function readExceptions(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, revision, place, reason] = /^(\S+)\s+(\S+)\s+(\S.*)$/.exec(line) ?? [];
      if (reason === undefined) throw new Error(`exceptions.txt: a line needs revision, scenario and reason: ${line}`);
      const [scenario, check] = place.split(":");
      return { line, revision, scenario, check, used: false };
    });
}

/** The scenarios of one run, each with its checks. */
function readScenarios(folder) {
  return readdirSync(folder)
    .sort()
    .map((name) => ({
      name: name.replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T[\d-]+Z$/, ""),
      checks: JSON.parse(readFileSync(join(folder, name, "checks.json"), "utf8")),
    }));
}

/** The scenarios a revision is scored by, from the suite's own list. */
function readScored(revision) {
  const path = `./node_modules/@modelcontextprotocol/conformance/requirements/${revision}.yaml`;
  return parse(readFileSync(new URL(path, import.meta.url), "utf8")).server;
}

function judge(revision, scenarios, exceptions) {
  const faults = [];
  const failed = new Set();
  const empty = new Set();
  for (const { name, checks } of scenarios) {
    if (!checks.some((check) => DECIDED.has(check.status))) {
      empty.add(name);
      const exception = exceptions.find(
        (it) => it.revision === revision && it.scenario === name && it.check === undefined,
      );
      if (exception === undefined) faults.push(`EMPTY  ${revision} ${name} decided nothing`);
      else exception.used = true;
    }
    for (const check of checks.filter((check) => !HELD.has(check.status))) {
      if (check.status === "FAILURE") failed.add(name);
      const exception = exceptions.find(
        (it) => it.revision === revision && it.scenario === name && (it.check === undefined || it.check === check.id),
      );
      if (exception === undefined) {
        const words = check.errorMessage ?? JSON.stringify(check.details ?? {});
        faults.push(`${check.status}  ${revision} ${name}:${check.id} ${words}`);
      } else {
        exception.used = true;
      }
    }
  }
  const ran = new Set(scenarios.map((scenario) => scenario.name));
  const scored = readScored(revision);
  faults.push(...scored.filter((name) => !ran.has(name)).map((name) => `MISSING  ${revision} ${name} did not run`));
  const passes = (name) => ran.has(name) && !failed.has(name) && !empty.has(name);
  const passed = scored.filter(passes).length;
  const rest = scenarios.filter((scenario) => !scored.includes(scenario.name));
  const restPassed = rest.filter((scenario) => passes(scenario.name)).length;
  console.log(`${revision}: ${passed} of ${scored.length} scored scenarios pass, ${restPassed} of ${rest.length} others`);
  return faults;
}

const results = process.argv[2];
const exceptions = readExceptions(readFileSync(new URL("./exceptions.txt", import.meta.url), "utf8"));
const faults = readdirSync(results)
  .sort()
  .flatMap((revision) => judge(revision, readScenarios(join(results, revision)), exceptions));
faults.push(...exceptions.filter((it) => !it.used).map((it) => `STALE  exceptions.txt: this holds by now: ${it.line}`));
for (const fault of faults) console.error(fault);
const excused = exceptions.filter((it) => it.used).length;
console.log(`${faults.length} unexpected, ${excused} of ${exceptions.length} exceptions in use`);
process.exitCode = faults.length === 0 ? 0 : 1;
