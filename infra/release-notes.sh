#!/usr/bin/env bash
# Prints the changelog section for a version. Fails if there is none or if the project version differs.
#
#   infra/release-notes.sh 1.2.3
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?which version?}
grep -qxF "version = \"$version\"" pyproject.toml || {
    echo "pyproject.toml does not say version = \"$version\"" >&2
    exit 1
}
section=$(awk -v version="$version" '
    /^## / { inside = ($2 == version || $2 == "[" version "]"); next }
    inside' CHANGELOG.md)
[[ -n ${section//[[:space:]]/} ]] || {
    echo "CHANGELOG.md has nothing under \"## $version\"" >&2
    exit 1
}
echo "$section"
