#!/bin/sh
# What all experiments share, from outside: usage, seeds, plots. usage: experiments_usage.sh PROGRAM, one that has curves
. "$(dirname "$0")/from_outside.sh"

expect 0 --help
for word in 'Exit status' '--wrong' '--seeds' '--plot'; do
  grep -q -e "$word" stdout || fail "--help does not speak of $word"
done
expect 2 --wrong no_such_arm
expect 2 --seeds 1
expect 2 --seeds many
expect 2 --no-such-option

# The seed alone decides: not the threads, and the table of two seeds is not that of the next two.
expect 01 --seeds 2 --threads 1
grep -q 'meant for 10 seeds' stdout || fail "nothing is said of too few seeds"
[ ! -s stderr ] || fail "something on stderr, which is no terminal"
tail -n +2 stdout >one
expect 01 --seeds 2 --threads 2
tail -n +2 stdout >two
cmp -s one two || fail "the number of threads changes the result"
expect 01 --seeds 2 --first-seed 2
tail -n +2 stdout >two
cmp -s one two && fail "the seed changes nothing"

# A plot where gnuplot is, a note where it is not.
expect 01 --seeds 2 --plot curves.svg
grep -q '<svg' curves.svg || grep -q 'gnuplot is missing' stderr || fail "neither a plot nor a note"
program_path=$program
mkdir empty
(PATH=$folder/empty "$program_path" --seeds 2 --plot none.svg >stdout 2>stderr)
grep -q 'gnuplot is missing' stderr && [ ! -e none.svg ] || fail "no note without gnuplot"
if [ -s curves.svg ]; then
  expect 3 --seeds 2 --plot no/such/folder.svg
fi

finish
