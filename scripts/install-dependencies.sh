#!/bin/sh
# Installs the Debian packages that a set of tasks needs, and only those that are missing.
#
#   scripts/install-dependencies.sh [run|test|develop]
#
#   run      to build and start the program (default)
#   test     the above, and what every test needs
#   develop  the above, and what fuzzing, formatting and bench-http need
#
# Asks nothing, says what it installs, and returns at once where nothing is missing. Needs root or
# sudo only where something is.
set -eu

# One line a need: the set, the package that brings it, and how to tell that it is there: `@cmd`
# looks for the command (however it got here), `+` asks dpkg for the package itself.
needs() {
    cat <<'END'
run      gcc                     @gcc
run      libc6-dev               +
run      make                    @make
run      cmake                   @cmake
run      ninja-build             @ninja
run      pkg-config              @pkg-config
run      ca-certificates         +
run      libwebsockets-dev       +
run      libwebsockets-evlib-ev  +
run      libev-dev               +
run      zlib1g-dev              +
run      libmicrohttpd-dev       +
run      libevent-dev            +
run      libjson-c-dev           +
run      libinih-dev             +
run      librocksdb-dev          +
run      libcurl4-openssl-dev    +
run      systemtap-sdt-dev       +
test     libcunit1-dev           +
test     libfuse3-dev            +
test     fuse3                   @fusermount3
test     curl                    @curl
test     xz-utils                @xz
test     nodejs                  @node
test     npm                     @npm
test     python3                 @/usr/bin/python3
test     python3-websockets      +
test     prometheus              @promtool
test     openssl                 @openssl
test     bpftrace                @bpftrace
develop  clang                   @clang
develop  libclang-rt-14-dev      +
develop  llvm                    @llvm-symbolizer
develop  clang-format            @clang-format
develop  wrk                     @wrk
END
}

say() { printf '%s\n' "install-dependencies: $*"; }
die() {
    printf '%s\n' "install-dependencies: $*" >&2
    exit 1
}

case "${1:-run}" in
    run) sets="run" ;;
    test) sets="run test" ;;
    develop) sets="run test develop" ;;
    *) die "unknown set '$1', use run, test or develop" ;;
esac

# A package that is removed but not purged is known to dpkg, so the status itself is compared.
installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

present() { # package, check
    case "$2" in
        @*) command -v "${2#@}" >/dev/null 2>&1 ;;
        *) installed "$1" ;;
    esac
}

all=$(needs | while read -r set package check; do
    case " $sets " in *" $set "*) printf '%s ' "$package" ;; esac
done)

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    die "this is not a Debian system (no apt-get). Install what these Debian packages hold," \
        "then run make again with DEPENDENCIES=no: $all"
fi

missing=$(needs | while read -r set package check; do
    case " $sets " in *" $set "*) present "$package" "$check" || printf '%s ' "$package" ;; esac
done)
missing=${missing% }
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    # Without a terminal nobody could type a password: fail instead of waiting for one.
    if [ -t 0 ]; then as_root="sudo"; else as_root="sudo -n"; fi
else
    die "these packages are missing, and installing them needs root or sudo." \
        "As root: apt-get install $missing"
fi

# sudo clears the environment, so the settings travel on its command line. Another apt at work is
# waited for instead of failed upon.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

say "installing ${as_root:+with sudo }these Debian packages and what they depend on: $missing"
apt update >/dev/null || say "apt-get update failed, trying with the package lists that are here"
# shellcheck disable=SC2086 # a list of packages
apt install -y --no-install-recommends $missing </dev/null ||
    die "apt-get could not install: $missing"
say "done"
