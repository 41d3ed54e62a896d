#!/bin/sh
# two_tower from outside: it learns with both losses, reranking helps, and ranks compute what one process computes.
# usage: two_tower.sh PROGRAM [MPI_PROGRAM MPIEXEC FLAGS...]
. "$(dirname "$0")/from_outside.sh"

small="--documents 1000 --queries 1024 --batch 128 --epochs 3 --pooled-epochs 3"
column() { awk -v of="$1" '$1 ~ /^[0-9]+$/ && NF == 8 { print $of }' stdout; }   # of the epochs with either loss
losses() { column 2; }
falls_to() { awk -v part="$1" 'NR == 1 { first = $1 } { last = $1 } END { exit !(last < part * first) }'; }

expect 0 $small
[ ! -s stderr ] || fail "something on stderr, which is no terminal"
losses > alone
[ "$(wc -l < alone)" -eq 6 ] || fail "no three epochs of either loss"
head -n 3 alone | falls_to 0.9 || fail "the loss of InfoNCE did not fall"
tail -n 3 alone | falls_to 0.9 || fail "the loss of Mann-Whitney did not fall"
for area in 4 5; do
  column $area | awk '{ last = $1 } END { exit !(last > 0.9 && last <= 1) }' || fail "no AUC to speak of"
done
grep -q 'reranked' stdout || fail "nothing was reranked"
expect 2 --queries 10 --batch 20
grep -q 'a batch of 20 for 10 queries' stderr || fail "no reason"

[ $# -gt 1 ] || finish
ranks_program=$2
shift 2
program=$1
shift
# Open MPI refuses root and more ranks than cores; other libraries do not read these.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
       OMPI_MCA_mpi_yield_when_idle=1 \
       PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
for ranks in 2 3; do
  expect 0 "$@" $ranks "$ranks_program" $small
  losses > together
  paste alone together | awk '{ off = $1 - $2; if (off > 1e-3 || off < -1e-3) bad = 1 } END { exit bad || NR != 6 }' ||
    fail "$ranks ranks have other losses: $(tr '\n' ' ' < alone)against $(tr '\n' ' ' < together)"
done
finish
