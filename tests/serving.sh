# What the runs of tests/clients, tests/conformance, tests/editor, tests/idp, tests/import and tests/sign-in have in
# common; sourced by them.
# It wants `set -euo pipefail`, and gives $work, a folder that is removed at the end, and $started, the processes to end.
# shellcheck shell=bash

work=$(mktemp -d)
started=()

stop() {
  local pid
  for pid in "${started[@]+"${started[@]}"}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

show_log() {
  if [[ -s $work/server.log ]]; then
    echo "the last lines of the server's log:" >&2
    tail -n 30 "$work/server.log" >&2
  fi
}

give_up() {
  echo "$1" >&2
  show_log
  exit 2
}

# The absolute path of the program to test: `binary_of PATH`, or the end with the usage.
binary_of() {
  if [[ $# -ne 1 || ! -x $1 || -d $1 ]]; then
    echo "usage: $0 path/to/mcp-bridge" >&2
    exit 2
  fi
  echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
}

# Installing is skipped when the stamp equals the list of packages that was installed. No package may run a script but
# those that are named: `install_packages FOLDER [PACKAGE…]`.
install_packages() {
  local folder=$1 stamp=$1/node_modules/.installed
  if ! cmp -s "$folder/package-lock.json" "$stamp"; then
    (cd "$folder" && npm ci --omit=optional --ignore-scripts --loglevel=error) >&2
    if (($# > 1)); then (cd "$folder" && npm rebuild --loglevel=error "${@:2}") >&2; fi
    cp "$folder/package-lock.json" "$stamp"
  fi
}

# The packages of a folder, and the one Node.js that all of them run on, whose package fetches the program for this
# machine and may therefore run its script.
install_node_packages() {
  local node
  node=$(dirname "${BASH_SOURCE[0]}")/node
  install_packages "$node" node
  install_packages "$1"
  PATH=$(cd "$node/node_modules/node/bin" && pwd):$PATH
  export PATH
}

# The Python of a virtual environment that has the packages of a list, and is made once: `python_with LIST NAME`.
# Such environments hold absolute paths and weigh much: they belong to the build output.
python_with() {
  local list=$1 folder venv
  # CARGO_TARGET_DIR is relative to where cargo ran, which for this repository is its root.
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && mkdir -p "${CARGO_TARGET_DIR:-target}/clients" &&
    cd "${CARGO_TARGET_DIR:-target}/clients" && pwd)
  venv=$folder/venv-$2
  if ! cmp -s "$list" "$venv/.installed"; then
    "${PYTHON:-python3}" -m venv --clear "$venv" >&2 &&
      "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$list" >&2 &&
      cp "$list" "$venv/.installed" || return
  fi
  echo "$venv/bin/python"
}

# Polls for 15 s at most: `wait_for WHAT PID COMMAND…` gives up early when the process ended.
wait_for() {
  local what=$1 pid=$2 until=$((SECONDS + 15))
  shift 2
  while ((SECONDS < until)); do
    if "$@"; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then give_up "$what ended before it was ready"; fi
    sleep 0.1
  done
  give_up "$what was not ready after 15 s"
}

free_port() {
  node -e 'const s = require("net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

is_ready() {
  node -e 'fetch(process.argv[1]).then((answer) => process.exit(answer.status === 200 ? 0 : 1), () => process.exit(1))' "$1"
}

# Serves the files and folders given on $port of the loopback.
serve_bridges() {
  local binary=$1
  shift
  port=$(free_port)
  "$binary" serve "$@" --listen "127.0.0.1:$port" >"$work/server.log" 2>&1 &
  started+=("$!")
  wait_for "mcp-bridge" "$!" is_ready "http://127.0.0.1:$port/readyz"
}

passed=0
failed=0

# Runs a program of checks, whose last line is "N passed, N failed"; that line is counted: `count NAME COMMAND…`.
count() {
  local name=$1 numbers
  shift
  "$@" | tee "$work/$name.report" | sed '$d' || true
  numbers=$(tail -n 1 "$work/$name.report")
  if [[ $numbers =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
  else
    echo "FAIL  $name ended early: $numbers"
    failed=$((failed + 1))
  fi
}

# No proxy may stand between this machine and itself.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
