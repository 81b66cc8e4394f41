apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old
rm -rf /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /tmp/*
find /var/log -type f -delete
