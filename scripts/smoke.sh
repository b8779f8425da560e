#!/usr/bin/env bash
# Starts the product as `make run` does, in a throw-away data folder, and looks whether it does what it says.
set -euo pipefail
set -m  # Jobs get a process group of their own, so that the whole of `make run` can be stopped at once.
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

AUTERITY_DATA_DIR=$folder PORT=$port make run >"$folder/log" 2>&1 &
made=$!
trap 'kill -TERM -- -$made 2>/dev/null || true; wait $made 2>/dev/null || true; rm -rf "$folder"' EXIT

status() {
  python3 - "http://127.0.0.1:$port$1" <<'PYTHON'
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print(0)
PYTHON
}

for _ in $(seq 120); do
  [ "$(status /openapi.json)" = 200 ] && break
  kill -0 $made 2>/dev/null || { cat "$folder/log"; echo "make run ended early"; exit 1; }
  sleep 0.5
done
cat "$folder/log"
for said in "Execution completed." "verdict" "mail sent" "Demo login" "Auterity is at"; do
  grep -qF "$said" "$folder/log" || { echo "make run did not print: $said"; exit 1; }
done
[ "$(ls "$folder/outbox" | wc -l)" -ge 2 ] || { echo "the demo wrote no mail"; exit 1; }
for path in /docs /redoc /openapi.json /admin/login/; do
  [ "$(status $path)" = 200 ] || { echo "$path does not answer 200"; exit 1; }
done
echo "make run works"
