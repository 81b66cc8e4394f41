grep -q '^VERSION_CODENAME=trixie$' /etc/os-release
test -z "$(dpkg --audit)"
