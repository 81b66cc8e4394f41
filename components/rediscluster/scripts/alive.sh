#!/bin/sh
# Startup and liveness: the process answers. Any answer will do; a node that is loading, busy with a script or cut
# off from its peers would not get better by a restart.
set -eu
# shellcheck source=components/rediscluster/scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

answer=$(cli "$LOCAL" ping 2>&1) && exit 0
case $answer in
*LOADING* | *BUSY*) exit 0 ;;
esac
echo "no answer: $answer"
exit 1
