#!/bin/sh
# What must be there before the virtual environment: Python 3.11 with venv and headers, a C compiler, GMP's headers.
# As root on Debian it installs what is missing; elsewhere it prints the exact command and stops.
set -eu
python=${1:-python3}

missing() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || printf ' python3'
    "$python" -c 'import venv, ensurepip' 2>/dev/null || printf ' python3-venv'
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])' 2>/dev/null || true)
    [ -n "$headers" ] && [ -f "$headers/Python.h" ] || printf ' python3-dev'
    command -v cc >/dev/null 2>&1 || printf ' gcc libc6-dev'
    echo '#include <gmp.h>' | cc -E -x c - >/dev/null 2>&1 || printf ' libgmp-dev'
}

lacking=$(missing)
[ -n "$lacking" ] || exit 0

if [ -f /etc/debian_version ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "weft: these are missing:$lacking. Run:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y$lacking" >&2
        exit 1
    fi
    echo "weft: installing$lacking" >&2
    apt-get update -qq
    # unquoted: several words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $lacking >/dev/null
    lacking=$(missing)
    [ -n "$lacking" ] || exit 0
    echo "weft: $python still lacks$lacking: it is too old, or not Debian's own." >&2
    echo "  Name a Python 3.11 or newer that has its headers: make PYTHON=/usr/bin/python3" >&2
elif [ "$(uname)" = Darwin ]; then
    echo "weft: a compiler, GMP or Python 3.11 with its headers is missing. Run:" >&2
    echo "  xcode-select --install; brew install python@3.12 gmp" >&2
    echo "and then: make PYTHON=python3.12" >&2
else
    echo "weft: install a C compiler, GMP's headers, and Python 3.11 or newer with venv and its headers." >&2
    echo "  Another Python than python3: make PYTHON=python3.12" >&2
fi
exit 1
