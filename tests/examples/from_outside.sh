# For tests of a program from outside, sourced with the program as $1: an empty folder to work in, expect, fail, finish.
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  sed 's/^/  | /' stdout stderr
  failures=$((failures + 1))
}
# expect STATUS ARGUMENTS...; 01: a check may pass or fail, as with few seeds.
expect() {
  wanted=$1
  shift
  "$program" "$@" >stdout 2>stderr
  got=$?
  case $wanted in
  01) [ "$got" -le 1 ] ;;
  *) [ "$got" -eq "$wanted" ] ;;
  esac || fail "exit status $got instead of $wanted: $*"
}
finish() {
  [ $failures -eq 0 ] && echo "all good"
  exit $((failures > 0))
}
