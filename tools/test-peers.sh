#!/bin/sh
# Install what the tests (and, with the argument "bench", the benchmark) compare with: Debian
# packages, as root only. Without them those tests skip and say which package is missing.
set -eu

packages="nginx-light libarchive-tools chromium python3.11-doc git curl clang haproxy"
if [ "${1:-}" = bench ]; then
    packages="$packages h2o lighttpd wrk nghttp2-client libnginx-mod-http-lua libnginx-mod-http-js gcc"
fi

missing=""
for package in $packages; do
    # Full nginx does as well as light.
    if [ "$package" = nginx-light ] && command -v nginx >/dev/null; then continue; fi
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed, tests that need them are skipped:$missing" >&2
    exit 0
fi

# Their services must not start: the tests run their own.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made_policy=1
fi
trap '[ -z "$made_policy" ] || rm -f "$policy"' EXIT

apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
