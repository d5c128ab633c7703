#!/usr/bin/env bash
# Progress for people: numbered steps, notes, and long commands run quietly.
#
# Everything here goes to standard error, so that a function can print its result on standard output.
# What a quiet command prints goes to a log; when it fails, the path and the tail of that log are shown.
# On a terminal a running command shows a ticking line; elsewhere every line is plain and final.
#
#   steps_total 7              (optional) "[2/7]" instead of "[2]"
#   step "Guest image"         numbered heading; closes the one before with its elapsed time
#   steps_done                 elapsed time of the last step and of the whole
#   note "144 packages"        one line under the step
#   quiet "label" cmd args...  run cmd, standard output included, into the log
#   cmd | logged               show lines and put them into the log, each with the time
#   size_of PATH               12.3 MiB
#   die "message"              say it and end with status 1

[[ -n ${COUNTERSIGN_REPORT_SH:-} ]] && return 0
COUNTERSIGN_REPORT_SH=1

STEP_NUMBER=0
STEP_TOTAL=0
STEP_STARTED=
# shellcheck disable=SC2034  # read by qemu/bench and tests/run
STEPS_STARTED=$SECONDS

# One log for one run, kept after it: a later failure may have its cause in an earlier command.
log_file() {
  if [[ -z ${COUNTERSIGN_LOG:-} ]]; then
    local folder=${COUNTERSIGN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/countersign}/logs
    mkdir -p "$folder"
    find "$folder" -name '*.log' -mtime +14 -delete
    COUNTERSIGN_LOG=$folder/$(basename -- "$0")-$(date -u +%Y%m%dT%H%M%SZ)-$$.log
    export COUNTERSIGN_LOG
    : >"$COUNTERSIGN_LOG"
  fi
}
# Set at once, in the main shell: subshells must agree on it.
log_file

on_terminal() { [[ -t 2 && ${TERM:-dumb} != dumb && -z ${NO_COLOR:-} ]]; }

say() { printf '%s\n' "$*" >&2; }

note() { say "      $*"; }

die() {
  say "$(basename -- "$0"): $*"
  exit 1
}

steps_total() { STEP_TOTAL=$1; }

step_closed() {
  [[ -z $STEP_STARTED ]] || note "done after $((SECONDS - STEP_STARTED)) s"
  STEP_STARTED=
}

step() {
  step_closed
  STEP_NUMBER=$((STEP_NUMBER + 1))
  STEP_STARTED=$SECONDS
  local number=$STEP_NUMBER
  ((STEP_TOTAL == 0)) || number=$STEP_NUMBER/$STEP_TOTAL
  if on_terminal; then printf '\033[1m[%s] %s\033[0m\n' "$number" "$*" >&2; else say "[$number] $*"; fi
  printf '%(%T)T [%s] %s\n' -1 "$number" "$*" >>"$COUNTERSIGN_LOG"
}

# Where a long run spends its time, line by line.
logged() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    printf '%s\n' "$line"
    printf '%(%T)T %s\n' -1 "$line" >>"$COUNTERSIGN_LOG"
  done
}

steps_done() {
  step_closed
  say "All steps done after $((SECONDS - STEPS_STARTED)) s."
}

human_size() {
  awk -v n="$1" 'BEGIN { split("B KiB MiB GiB TiB", u, " "); i = 1; while (n >= 1024 && i < 5) { n /= 1024; i++ }
    if (i == 1) printf "%d B", n; else printf "%.1f %s", n, u[i] }'
}

# Apparent size: what a copy would need, the same on every file system.
size_of() { human_size "$(du --summarize --bytes -- "$1" | cut -f1)"; }

# A line that counts the seconds while process $1 lives; cleared at the end.
tick() {
  local started=$SECONDS
  while kill -0 "$1" 2>/dev/null; do
    printf '\r      %s ... %d s ' "$2" $((SECONDS - started)) >&2
    sleep 1
  done
  printf '\r\033[K' >&2
}

# Never call it with a shell function as a condition (if, ||): bash would ignore `set -e` inside the function.
quiet() {
  local label=$1 started=$SECONDS status=0 ticker='' from
  shift
  from=$(wc -c <"$COUNTERSIGN_LOG")
  printf '%(%T)T == %s: %s\n' -1 "$label" "$*" >>"$COUNTERSIGN_LOG"
  ("$@") >>"$COUNTERSIGN_LOG" 2>&1 </dev/null &
  local child=$!
  if on_terminal; then
    tick "$child" "$label" &
    ticker=$!
  else
    note "$label ..."
  fi
  wait "$child" || status=$?
  [[ -z $ticker ]] || wait "$ticker" || true
  if ((status == 0)); then
    note "$label: $((SECONDS - started)) s"
    return 0
  fi
  note "$label: failed with status $status after $((SECONDS - started)) s; the end of $COUNTERSIGN_LOG:"
  tail -c "+$((from + 1))" "$COUNTERSIGN_LOG" | tail -n 30 | sed 's/^/      | /' >&2
  return "$status"
}
