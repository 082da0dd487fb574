#!/bin/sh
# Install what the tests (and, with the argument "bench", the benchmark) compare with: Debian
# packages, as root only. Without them those tests skip and say which package is missing.
set -eu

packages="nginx-light libarchive-tools chromium python3.11-doc git curl clang zsh fish mandoc man-db groff-base haproxy golang-go npm"
if [ "${1:-}" = bench ]; then
    packages="$packages h2o lighttpd wrk nghttp2-client libnginx-mod-http-lua libnginx-mod-http-js gcc"
fi

# A conformance suite for HTTP/2, which Debian does not have: built once, kept outside of the tree.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/zeroserve-tests"
get_h2spec() {
    [ "$(id -u)" = 0 ] || return 0
    if command -v h2spec >/dev/null || [ -x "$cache/h2spec" ]; then return 0; fi
    command -v go >/dev/null || return 0
    build=$(mktemp -d)
    # Versions that Debian's compiler takes; the latest want a newer one.
    cat >"$build/go.mod" <<'END'
module build

go 1.19

require (
	github.com/fatih/color v1.15.0
	github.com/mattn/go-colorable v0.1.13
	github.com/mattn/go-isatty v0.0.17
	github.com/spf13/cobra v1.8.0
	github.com/summerwind/h2spec v2.2.1+incompatible
	golang.org/x/net v0.17.0
	golang.org/x/sys v0.13.0
	golang.org/x/text v0.13.0
)
END
    mkdir -p "$cache"
    (cd "$build" && GOTOOLCHAIN=local GOFLAGS="-mod=mod -modcacherw" GOPATH="$build/path" GOCACHE="$build/cache" \
        timeout 300 go build -o "$cache/h2spec" github.com/summerwind/h2spec/cmd/h2spec) >/dev/null 2>&1 ||
        echo "h2spec can't be built: its tests are skipped" >&2
    rm -rf "$build"
}

missing=""
for package in $packages; do
    # An npm from elsewhere does as well: with it comes the identity provider of the tests of logins.
    if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
    # Full nginx does as well as light.
    if [ "$package" = nginx-light ] && command -v nginx >/dev/null; then continue; fi
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || { get_h2spec; exit 0; }

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
get_h2spec
