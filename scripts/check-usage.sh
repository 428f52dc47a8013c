# Sourced by the checks, which take no arguments: --help is answered with their first comment.
# shellcheck shell=bash
case $#:${1:-} in
0:) ;;
*:-h | *:--help)
  echo "usage: $0"
  sed -n '2,/^[^#]/s/^# \?//p' "$0" | grep -v '^shellcheck '
  exit 0
  ;;
*)
  echo "$0: takes no arguments (see $0 --help)" >&2
  exit 2
  ;;
esac
