#!/usr/bin/env bash
# `tidemark-bench run` beside wrk and oha, against `tidemark-bench stub`: requests a second of closed
# loops at 16 and 100 connections, and latencies of open loops at half the capacity, all in turn in one
# run. Needs two cores, wrk, oha (`cargo install oha`), python3 and a release build of this client:
#
#   cargo build --release --bin tidemark-bench && benches/peers/load_clients.sh [ROUNDS] [SECONDS]
#
# The stub has the first core, every client the second.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5} seconds=${2:-4}
bench=${TIDEMARK_BENCH:-target/release/tidemark-bench}
work=$(mktemp -d)
stub_pid=
trap '[ -z "$stub_pid" ] || kill "$stub_pid" 2>/dev/null; rm -rf "$work"' EXIT

start_stub() {
  rm -f "$work/stub"
  taskset -c 0 "$bench" stub --port 0 --threads 1 "$@" >"$work/stub" &
  stub_pid=$!
  until grep -qs listening "$work/stub"; do sleep 0.05; done
  url=$(sed -n 's/^listening on //p' "$work/stub")
}
stop_stub() { kill "$stub_pid"; wait "$stub_pid" 2>/dev/null || true; stub_pid=; }

body='{"timestamp":"1705001000","value":10.25}'
printf 'wrk.method="POST"\nwrk.body=[[%s]]\nwrk.headers["Content-Type"]="application/json"\n' "$body" >"$work/post.lua"

ours() { # flags; prints requests a second, p50 and p99 in ms
  rm -rf "$work/run"
  taskset -c 1 "$bench" run --base-url "$url" --no-set-up --warm-up 0 --threads 1 --out "$work/run" "$@" >/dev/null
  python3 - "$work/run/stats.json" <<'P'
import json, sys
s = json.load(open(sys.argv[1]))
q = {x["q"]: x["value_ns"] / 1e6 for x in s["ok"]["last"]["quantiles"]}
print(round(s["completed_rps"]), q[0.5], q[0.99])
P
}
oha_() { # flags
  taskset -c 1 oha --no-tui --output-format json --disable-compression -m POST -T application/json -d "$body" "$@" \
    "$url/predict/s?version=0" | python3 -c '
import json, sys
d = json.load(sys.stdin)
p = d["latencyPercentiles"]
print(round(d["summary"]["requestsPerSec"]), p["p50"] * 1e3, p["p99"] * 1e3)'
}
wrk_() { # connections
  taskset -c 1 wrk -t1 -c"$1" -d"${seconds}s" -s "$work/post.lua" "$url/predict/s?version=0" |
    awk '/Requests\/sec/ { printf "%d - -\n", $2 }'
}

start_stub
for round in $(seq "$rounds"); do
  for c in 16 100; do
    echo "closed-$c ours $(ours --clients "$c" --duration "${seconds}s")"
    echo "closed-$c wrk $(wrk_ "$c")"
    echo "closed-$c oha $(oha_ -z "${seconds}s" -c "$c")"
  done
done | tee "$work/results"
stop_stub

# A server whose capacity is its own and not the machine's: 32 at a time, 20 ms each, is 1,500/s. Both
# the stub and oha keep time in milliseconds, and how their ticks fall together shifts oha's figures by half
# a millisecond from run to run: of 20 ms that is little, of 4 ms a tenth.
start_stub --delay-ms 20 --capacity 32
for round in $(seq "$rounds"); do
  echo "open-half ours $(ours --rate 750/s --connections 100 --max-connections 100 --duration "${seconds}s")"
  echo "open-half oha $(oha_ -z "${seconds}s" -c 100 -q 750 --latency-correction)"
done | tee -a "$work/results"
stop_stub

python3 - "$work/results" <<'P'
import collections, statistics, sys
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    shape, who, *figures = line.split()
    rows[shape, who].append([float(f) if f != "-" else None for f in figures])
median = lambda shape, who, i: statistics.median(r[i] for r in rows[shape, who])
print()
for c in ("16", "100"):
    ours = median(f"closed-{c}", "ours", 0)
    for peer in ("wrk", "oha"):
        print(f"{c} connections: {ours:.0f}/s, {ours / median(f'closed-{c}', peer, 0):.2f} x {peer}")
for i, name in ((1, "p50"), (2, "p99")):
    ours, oha = median("open-half", "ours", i), median("open-half", "oha", i)
    print(f"open loop at half the capacity: {name} {ours:.3f} ms, {ours / oha:.3f} x oha's {oha:.3f} ms")
P
