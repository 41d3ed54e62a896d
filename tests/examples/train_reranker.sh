#!/bin/sh
# The trainer from outside: exit statuses, files written, files left alone. usage: train_reranker.sh PROGRAM
. "$(dirname "$0")/from_outside.sh"

says() { grep -q -e "$1" stdout stderr || fail "no '$1' in what it says"; }

# A fast run on made-up data beats the first stage, and says so in files that agree with the table.
fast="--epochs 3 --weight-decay 0.1 --seed 5"
expect 0 $fast --loss ranknet --out one
says 'first stage'
for file in results.json ranknet.run ranknet.weights.json first_stage.run; do
  [ -s "one/$file" ] || fail "one/$file is missing"
done
[ -s one/curves.svg ] || [ -s one/curves.gp ] || fail "neither curves.svg nor curves.gp"
grep -q "$(printf '\r')" stderr && fail "a progress bar where stderr is not a terminal"
in_table=$(awk '$1 == "ranknet" { print $2 }' stdout)
in_json=$(awk '/"loss": "ranknet"/ { found = 1 } found && /"ndcg@5"/ { gsub(/[^0-9.]/, "", $2); printf "%.4f", $2; exit }' one/results.json)
[ -n "$in_table" ] && [ "$in_table" = "$in_json" ] || fail "NDCG@5 is $in_table in the table and $in_json in results.json"
first_stage=$(awk '/^first stage  / { print $3 }' stdout)
awk "BEGIN { exit !($in_table > $first_stage + 0.05) }" || fail "ranknet $in_table does not beat the first stage $first_stage"
awk 'NF != 6 || $2 != "Q0" { exit 1 }' one/ranknet.run || fail "ranknet.run is not a run file"

# The same seed gives the same bytes, whatever the number of threads; another seed does not.
expect 0 $fast --compare ranknet,softmax --threads 1 --out a
expect 0 $fast --compare ranknet,softmax --threads 2 --out b
diff -r a b >stdout || fail "two runs with the same seed differ"
expect 0 --epochs 3 --weight-decay 0.1 --seed 6 --compare ranknet,softmax --out b
cmp -s a/results.json b/results.json && fail "the seed changes nothing"

# Without gnuplot: said, and the script is written in its place.
program_path=$program
mkdir empty
(PATH=$folder/empty "$program_path" $fast --out no_gnuplot >stdout 2>stderr) || fail "exit status without gnuplot"
says 'gnuplot is missing'
[ -s no_gnuplot/curves.gp ] && [ ! -e no_gnuplot/curves.svg ] || fail "curves.gp is missing"

# Real files: a mixture, a curriculum by a first-stage feature, sizes beside the rows.
for query in 1 2 3 4 5 6 7 8 9 10; do
  for document in 1 2 3 4; do
    echo "$(((query + document) % 3)) qid:$query 1:0.$document 2:$(((query + document) % 3)).5 7:$query # docid = D$query-$document"
  done
done >letor.txt
expect 0 $fast --data letor.txt --loss '0.8*ranknet + 0.2*softmax' --first-stage-feature 1 --curriculum kde --out letor
says 'feature 1'
grep -q ' D[0-9]*-[0-9] 1 ' letor/0.8_ranknet_0.2_softmax.run || fail "the run file does not name the documents of the comments"
sed 's/ qid:[0-9]*//' letor.txt >sizes.txt
for query in 1 2 3 4 5 6 7 8 9 10; do echo 4; done >sizes.txt.query
expect 0 $fast --data sizes.txt --test letor.txt --validation letor.txt --out sizes
says 'the order of the file'

# Bad input: status 1, the place, and nothing touched.
mkdir kept
echo before >kept/results.json
printf '1 qid:1 1:2\n0 qid:1 1:nan\n' >bad.txt
expect 1 --data bad.txt --out kept
says '^bad.txt:2: the value of feature 1'
expect 1 --data bad.txt --out new
[ ! -e new ] || fail "the output folder was made for bad input"
echo 5 >>sizes.txt.query
expect 1 --data sizes.txt --out kept
says '^sizes.txt.query:11: the sizes up to here add up to 45, but sizes.txt has 40 rows'
sed 's/^[12] /0 /' letor.txt >irrelevant.txt
expect 1 --data irrelevant.txt --out kept
says 'no document of the training queries is relevant'
head -4 letor.txt >single.txt
expect 1 --data single.txt --out kept
says 'too few queries'
expect 1 --data missing.txt --out kept

expect 1 --data letor.txt --first-stage-feature 99 --out kept
says 'no row has feature 99'
[ "$(ls kept)" = results.json ] && [ "$(cat kept/results.json)" = before ] || fail "bad input touched the output folder"

# Usage: status 2.
expect 2 --loss no_such_loss
says "there is no loss 'no_such_loss'"
expect 2 --loss curriculum_softmax
expect 2 --loss softmax --curriculum kde
expect 2 --compare ranknet,ranknet
says "'ranknet' is named twice"
expect 2 --loss ranknet --compare
expect 2 --test letor.txt
expect 2 --curriculum sometimes
expect 2 --epochs 0
expect 2 --no-such-option
expect 2 --hidden many

# A training that diverges: status 3, and the table says which.
expect 3 --epochs 2 --learning-rate 100 --loss mean_squared_error --hidden 64 --out diverged
says 'diverged'

# Output that cannot be written: status 3, before any training.
echo file >file
expect 3 $fast --out file/below
says 'is not a folder'

expect 0 --help
says 'Examples:'
says 'Exit status'
expect 0 --list-losses
says '^ranknet'

finish
