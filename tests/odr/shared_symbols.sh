#!/bin/sh
# Fails if two objects share a weak symbol of the library: code of two instruction sets under one name.
# usage: shared_symbols.sh A.o B.o
set -eu
weak() { nm --defined-only "$1" | awk '$2 == "W" || $2 == "V" || $2 == "u" {print $3}' | sort -u; }
one=$(mktemp) two=$(mktemp)
trap 'rm -f "$one" "$two"' EXIT
weak "$1" > "$one"
weak "$2" > "$two"
[ -s "$one" ] && [ -s "$two" ] || { echo "no weak symbols at all: is this the right pair of objects?"; exit 1; }
shared=$(comm -12 "$one" "$two" | grep -E 'rankgrad' || true)
if [ -n "$shared" ]; then
  echo "shared between the two instruction sets:"
  echo "$shared" | c++filt | head -20
  exit 1
fi
echo "$(wc -l < "$one") and $(wc -l < "$two") weak symbols, none of rankgrad in common; shared with the standard library:"
comm -12 "$one" "$two" | c++filt
