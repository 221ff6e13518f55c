#!/bin/sh
# Makes an outage: Redis is killed, or falls silent, and comes back after so many seconds.
#
#   ./outage.sh [seconds] [kill|freeze]
set -eu
cd "$(dirname "$0")"

seconds=${1:-30}
case ${2:-kill} in
  kill) away=kill back=start ;;
  freeze) away=pause back=unpause ;;
  *)
    echo "usage: $0 [seconds] [kill|freeze]" >&2
    exit 2
    ;;
esac

# Also when it is interrupted.
trap 'docker compose "$back" redis; echo "$(date +%T)  Redis is back"' EXIT
trap 'trap "" INT TERM; kill "$sleeping"; exit 130' INT TERM

echo "$(date +%T)  Redis goes away for $seconds s"
sleep "$seconds" &
sleeping=$!
docker compose "$away" redis
wait "$sleeping"
