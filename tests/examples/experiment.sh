#!/bin/sh
# One experiment from outside. usage: experiment.sh PROGRAM                 the right arms pass
#                                     experiment.sh PROGRAM WRONG PATTERN   the wrong arm fails the check PATTERN
. "$(dirname "$0")/from_outside.sh"

if [ $# -eq 3 ]; then
  expect 1 --wrong "$2"
  grep -q "^FAIL  $3" stdout || fail "no check that starts with '$3' failed"
  finish
fi

expect 0
[ ! -s stderr ] || fail "something on stderr, which is no terminal"
grep -q '^pass  ' stdout || fail "no check"
grep -q '^FAIL' stdout && fail "a check failed and the exit status is 0"
cat stdout
finish
