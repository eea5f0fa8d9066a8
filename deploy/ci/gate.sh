#!/bin/sh
# Builds a revision and the one before it, runs both in turns below the profiler, and fails where
# functions got slower. Environment:
#
#   RUN        the command to profile, in the root of the repository: the same work in each run
#   BUILD      what is to be run once in each checkout before [nothing]
#   BASELINE   the revision to compare with [where HEAD left origin's default branch, or HEAD~1]
#   REPEAT     runs of each [10]
#   FREQUENCY  samples a second; more tell smaller changes in as many runs [999]
#   CHECK      more flags of `profiler check`, such as --fail 'self>+1pp' (split as a shell would)
#   RESULTS    where the runs and reports are left [profiler-results]
#   PROFILER   the command [profiler]
#
# Leaves with the exit code of `profiler check`, and with 2 where something could not be built or
# run; docs/guide/ci.md has the rest.
set -eu

: "${RUN:?the command to profile}"
build=${BUILD:-true}
repeat=${REPEAT:-10}
frequency=${FREQUENCY:-999}
profiler=${PROFILER:-profiler}
results=${RESULTS:-profiler-results}

fail() {
	echo "gate.sh: $*" >&2
	exit 2 # whatever the command's was: 1 and 3 are verdicts
}

# perf events of the kernel need root; what is recorded shall belong to who runs this.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E env "PATH=$PATH" "$@"; fi
}

top=$(git rev-parse --show-toplevel) || fail "not in a git repository"
cd "$top"
head=$(git rev-parse HEAD)
if [ -z "${BASELINE:-}" ]; then
	BASELINE=$(git merge-base HEAD "$(git rev-parse --verify -q origin/HEAD || echo HEAD)") ||
		BASELINE=$head
	[ "$BASELINE" != "$head" ] || BASELINE=HEAD~1
fi
baseline=$(git rev-parse --verify -q "$BASELINE^{commit}") ||
	fail "this clone has no commit $BASELINE to compare with: fetch the whole history" \
		"(fetch-depth: 0, GIT_DEPTH=0, git fetch --unshallow), or name another in BASELINE"
describe() { git log -1 --format='%h %s' "$1"; }
echo "gate.sh: baseline $(describe "$baseline"), candidate $(describe "$head"), $repeat runs each" >&2

mkdir -p "$results"
results=$(cd "$results" && pwd)
rm -rf "$results/baseline" "$results/candidate"
mkdir "$results/baseline" "$results/candidate"

before=$(mktemp -d)
trap 'git worktree remove --force "$before" 2>/dev/null || rm -rf "$before"' EXIT
git worktree add --quiet --detach --force "$before" "$baseline"
(cd "$before" && sh -c "$build") || fail "the baseline cannot be built: $build"
sh -c "$build" || fail "the candidate cannot be built: $build"

record() { # FOLDER SIDE RUN
	(cd "$1" && as_root "$profiler" record -F "$frequency" \
		-o "$results/$2/run-$3.pb.gz" -- sh -c "$RUN") ||
		fail "run $3 of the $2 failed with $?: $RUN"
}

# In turns: what the machine does beside, and how warm it is, changes for both alike.
run=1
while [ "$run" -le "$repeat" ]; do
	record "$before" baseline "$run"
	record . candidate "$run"
	run=$((run + 1))
done
[ "$(id -u)" = 0 ] || as_root chown -R "$(id -u)" "$results"

code=0
eval "set -- ${CHECK:-}"
"$profiler" check --baseline "$results/baseline" --candidate "$results/candidate" \
	--report "markdown=$results/check.md" --report "junit=$results/check.xml" \
	--report "sarif=$results/check.sarif" --report "github=$results/check.annotations" \
	--flamegraph "$results/difference.svg" "$@" || code=$?
exit "$code"
