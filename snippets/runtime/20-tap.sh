# Output: TAP version 14, the same for people and for tools, and into the log.

tap_begin() {
    out 'TAP version 14'
    remark {{ m("begin", node=v("$node"), cluster=v("$cluster"), call=v("$call")) }}
}

remark() {
    out "# $1"
}

bail() {
    out "Bail out! $1"
    receipt_add "bail $1"
}

out() {
    # What was read somewhere may have several lines.
    case $* in
        *"$line_break"*) set -- "$(printf '%s' "$*" | tr '\n' ' ')" ;;
        *) ;;
    esac
    # A reader that is gone or a log on a full disk must not change what is done.
    printf '%s\n' "$*" 2>/dev/null
    [ -z "$log" ] || printf '%s\n' "$*" 2>/dev/null >&8
    return 0
}

# step NAME TITLE: whether this step is to run now; ends the one before.
step() {
    case $phase in
        list)
            printf '%-12s %s\n' "$1" "$2"
            return 1
            ;;
        need)
            step=$1 step_differs='' on_change='' check_with=''
            [ "$1" != host ] || return 0
            ;;
        *) step_close ;;
    esac
    if [ -n "$only" ]; then
        [ "$1" = "$only" ] || return 1
    elif [ -n "$from" ]; then
        [ "$1" != "$from" ] || passed=yes
        [ -n "$passed" ] || return 1
    fi
    [ "$phase" = want ] || return 0
    step=$1 on_change='' check_with='' touched=''
    step_title=$2
    subtest "$1"
}

step_close() {
    [ -n "$step_title" ] || return 0
    subtest_end "$step: $step_title"
    step_title=''
}

subtest() {
    points=0 points_bad=0 points_todo=0
    [ -n "$quiet" ] || out "# Subtest: $1"
}

subtest_end() {
    top=$((top + 1))
    [ -n "$quiet" ] || out "    1..$points"
    subtest_name=requirements
    [ "$phase" = need ] || subtest_name=$step
    if [ "$points_bad" -gt 0 ]; then
        out "not ok $top - $1"
        receipt_add "step $subtest_name failed"
    elif [ "$points_todo" -gt 0 ]; then
        out "not ok $top - $1 # TODO" {{ m("point.waits", count=v("$points_todo")) }}
        receipt_add "step $subtest_name waits"
    else
        out "ok $top - $1"
        receipt_add "step $subtest_name ok"
    fi
}

# point 'ok'|'not ok' WHAT [DIRECTIVE]: one thing that was looked at.
point() {
    # What is only staged is said when it is put in place.
    [ -z "$stage" ] || return 0
    points=$((points + 1))
    case $2 in
        # In TAP it would begin a directive.
        *'#'*) set -- "$1" "$(printf '%s\n' "$2" | sed 's/#/\\#/g')" "${3:-}" ;;
        *) ;;
    esac
    receipt_add "point $1 - $2${3:+ # $3}"
    case "$1 ${3:-}" in
        'not ok TODO'*) points_todo=$((points_todo + 1)) ;;
        'not ok'*)
            points_bad=$((points_bad + 1))
            bad=$((bad + 1))
            ;;
        *) [ -z "$quiet" ] || return 0 ;;
    esac
    if [ -n "$quiet" ]; then
        out "# $1 - $2${3:+ ($3)}"
    else
        out "    $1 $points - $2${3:+ # $3}"
    fi
}

# detail KEY TEXT [KEY TEXT]: more on the point before, as its YAML block; a key
# without text is left out.
detail() {
    # Of binary files there is no difference to show.
    [ -n "$2${4:-}" ] || return 0
    [ -n "$quiet" ] || out '      ---'
    while [ "$#" -gt 0 ]; do
        if [ -z "$2" ]; then
            :
        elif [ -n "$quiet" ]; then
            printf '%s\n' "$2" | indent "#   $1: "
        else
            out "      $1: |"
            printf '%s\n' "$2" | indent '        '
        fi
        shift 2
    done
    [ -n "$quiet" ] || out '      ...'
}

# Lines of standard input, each behind the text given.
indent() {
    while IFS= read -r indent_line || [ -n "$indent_line" ]; do
        out "$1$indent_line"
    done
}

note() {
    [ -n "$quiet" ] || out "    # $1"
}

# tell TEXT: a note that a quiet run has too.
tell() {
    if [ -n "$quiet" ]; then remark "$1"; else note "$1"; fi
}

# same WHAT: it is as it should be.
same() {
    point ok "$1"
}

# differs WHAT HOW: tells that something is not as described; true where the
# caller has to change it now.
differs() {
    case $call in
        check)
            point 'not ok' "$1" "TODO $2"
            changes=$((changes + 1))
            return 1
            ;;
        verify)
            point 'not ok' "$1: $2"
            return 1
            ;;
        *) return 0 ;;
    esac
}

# changed WHAT HOW: the change that differs asked for is made.
changed() {
    changes=$((changes + 1))
    point ok "$1: $2"
    [ -z "$quiet" ] || out "# $1: $2"
}

# run WHAT COMMAND...: run it now, its output shown; its exit status. With
# $keeps_lock it holds the lock for as long as it runs, even where we are killed.
run() {
    # It may start or stop units.
    run_what=$1 units_at='' run_margin='    #   '
    [ -z "$quiet" ] || run_margin='#   '
    shift
    note "+ $(as_typed "$@")"
    # The status comes back through descriptor 3, past the pipe.
    {
        run_status=$({
            {
                if [ -n "$keeps_lock" ] && [ -e /dev/fd/9 ]; then
                    "$@" 3>&- 4>&- 8>&- 9>&9 </dev/null 2>&1
                else
                    "$@" 3>&- 4>&- 8>&- 9>&- </dev/null 2>&1
                fi
                printf '%s' "$?" >&3
            } | indent "$run_margin" >&4
        } 3>&1)
    } 4>&1
    # Nobody said it: what ran the command was killed.
    run_status=${run_status:-137}
    [ "$run_status" -eq 0 ] || note {{ m("run.status", what=v("$run_what"), status=v("$run_status")) }}
    return "$run_status"
}

# as_typed WORD...: a command as one would type it.
as_typed() {
    typed=''
    for typed_word in "$@"; do
        case $typed_word in
            '' | *[!A-Za-z0-9_./:@%+,=-]*) typed="$typed '$typed_word'" ;;
            *) typed="$typed $typed_word" ;;
        esac
    done
    printf '%s\n' "${typed# }"
}

# within SECONDS COMMAND...: until the command succeeds, a look each second.
within() {
    within_left=$1 within_since=''
    shift
    until "$@"; do
        forget_looks
        # A look may take its time; and the clock may be set meanwhile, uptime not.
        read -r within_now _ </proc/uptime
        within_now=${within_now%%.*}
        within_since=${within_since:-$within_now}
        [ "$((within_now - within_since))" -lt "$within_left" ] || return 1
        sleep 1
    done
}

# expect WHAT SECONDS HINT COMMAND...: what must hold once all is applied.
# check does not look: changes may wait.
expect() {
    [ "$phase" = want ] && [ "$call" != check ] || return 0
    expect_what=$1 expect_within=$2 expect_hint=$3
    shift 3
    [ "$call" = apply ] || expect_within=0
    found=''
    if within "$expect_within" "$@"; then
        point ok "$expect_what"
        return 0
    fi
    point 'not ok' "$expect_what"
    detail found "$found" help "$expect_hint"
    [ "$call" != apply ] ||
        end_part_way {{ m("expect.failed", what=v("$expect_what"), seconds=v("$expect_within")) }}
}
