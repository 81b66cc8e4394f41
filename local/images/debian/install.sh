# install PACKAGE...: what every build.sh on top of Debian uses.
install() {
  apt-get -qq update
  apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"
}
