#!/bin/sh
# The container runtime calls this in place of runc. A container that mounts /var/log/pods, where a machine of its own
# has the logs of its pods, gets those of this node.
set -eu
logs='{{.Path "pod-logs"}}'
previous=
for argument; do
	if [ "$previous" = --bundle ]; then
		sed -i "s|\"source\":\"/var/log/pods\([/\"]\)|\"source\":\"$logs\1|g" "$argument/config.json"
	fi
	previous=$argument
done
exec '{{.Runc}}' "$@"
