#!/usr/bin/env bash
# packages.sh PACKAGE...: installs the Debian packages that are missing, where that is possible;
# elsewhere names them and goes on, since the profiler works without some of them.
set -euo pipefail

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=()
if command -v dpkg-query >/dev/null; then
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && exit 0
else
  missing=("$@")
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed (needs root and apt-get): ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
known=()
for package in "${missing[@]}"; do
  # Ubuntu, for instance, calls linux-perf otherwise.
  if [ -n "$(apt-cache madison "$package")" ]; then known+=("$package"); else
    echo "this system has no package $package" >&2
  fi
done
[ ${#known[@]} -eq 0 ] && exit 0
echo "installing Debian packages: ${known[*]}"
apt-get -qq install -y --no-install-recommends "${known[@]}" >/dev/null
