#!/bin/sh
# Before the node stops: a leader hands its slots over to a follower, so that clients wait for milliseconds and
# not for the node timeout. Gives up after 15 s; the cluster then elects one by itself.
set -eu
# shellcheck source=components/rediscluster/scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

# follower TABLE ID prints the endpoint of a follower of ID that can take over.
follower() {
    while read -r line; do
        parse "$line"
        case $node_leader/$node_link/$node_flags in
        *fail* | *noaddr*) ;;
        "$2"/connected/*) echo "$node_ip:$node_port" && return ;;
        esac
    done <<TABLE
$1
TABLE
    return 1
}

attempts=15
while [ "$attempts" -gt 0 ]; do
    table=$(nodes "$LOCAL")
    parse "$(myself "$table")"
    case $node_flags in *slave*) exit 0 ;; esac
    [ -n "$node_slots" ] || exit 0
    # A failover that does not succeed is abandoned by Redis after 5 s, and asked for again here.
    if [ $((attempts % 5)) = 0 ]; then
        heir=$(follower "$table" "$node_id") || { echo "no follower can take over" && exit 1; }
        cli "$heir" cluster failover || true
    fi
    attempts=$((attempts - 1))
    sleep 1
done
echo "no follower took over within 15 s"
exit 1
