#!/bin/sh
# One experiment from outside. usage: experiment.sh PROGRAM                 the right arms pass
#                                     experiment.sh PROGRAM WRONG PATTERN   the wrong arm fails the check PATTERN
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

fail() {
  echo "FAILED: $*"
  sed 's/^/  | /' stdout stderr
  exit 1
}
# expect STATUS ARGUMENTS...
expect() {
  wanted=$1
  shift
  "$program" "$@" >stdout 2>stderr
  got=$?
  [ "$got" -eq "$wanted" ] || fail "exit status $got instead of $wanted: $*"
}

if [ $# -eq 3 ]; then
  expect 1 --wrong "$2"
  grep -q "^FAIL  $3" stdout || fail "no check that starts with '$3' failed"
  exit 0
fi

expect 0
[ ! -s stderr ] || fail "something on stderr, which is no terminal"
grep -q '^pass  ' stdout || fail "no check"
grep -q '^FAIL' stdout && fail "a check failed and the exit status is 0"
cat stdout
exit 0
