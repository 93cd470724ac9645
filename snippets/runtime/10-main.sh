# ---------------------------------------------------------------------------
# The runtime: the same in every script. What the steps above say is done here.
# ---------------------------------------------------------------------------

# The call, its options, and the two passes: first what the steps need, with
# nothing touched; then what they want.
main() {
    # The check again, for damage in the lines that make it.
    [ "${copy_digest:-}" = "$digest" ] || { [ -e "$copy" ] && [ ! -f "$copy" ]; } || { printf '%s\n' {{ m("head.unchecked") }} >&2; exit 78; }
    LC_ALL=C
    export PATH LC_ALL
    # With TMOUT "read" does not wait for a command that takes its time (ksh93 forgets
    # it only as 0); an agent's keys would get in where this node's own do not.
    TMOUT=0
    unset CDPATH ENV BASH_ENV FPATH TMOUT GREP_OPTIONS POSIXLY_CORRECT SSH_AUTH_SOCK probing holds_wrong member_looks units_at routes_at
    # What would have the commands that we call read, load or run something else.
    unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH LOCPATH NLSPATH TZDIR HOSTALIASES OPENSSL_CONF SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE SSH_ASKPASS \
        PERL5LIB PERL5OPT PERL5DB PYTHONPATH PYTHONHOME PYTHONSTARTUP AWKPATH AWKLIBPATH TAR_OPTIONS RSYNC_RSH DIFF_OPTIONS
    # With -a all that is set from here on would be handed to every command.
    set +aefC
{% if by_api %}
    # The member is asked, not a proxy in its place.
    unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY PERL_LWP_ENV_PROXY
    # One that comes from outside would be handed on, with what it holds by then.
    unset password api_body api_line api_ticket api_token ticket_time
    password='' fingerprint='' password_fd='' api_purpose=look
    carriage_return=$(printf '\r')
{% endif %}
    umask 022
    # Some shells keep here-documents in files: not on the disk, which may be full.
    works=''
    for TMPDIR in /run /dev/shm /tmp; do
        { [ -d "$TMPDIR" ] && [ -w "$TMPDIR" ]; } || continue
        export TMPDIR
        read -r works 2>/dev/null <<'END'
yes
END
        [ "$works" != yes ] || break
    done
    [ "$works" = yes ] || { printf '%s\n' {{ m("call.no_heredoc") }} >&2; exit 78; }
    # A stream that is closed would lend its number to a file of ours.
    [ -e /proc/self/fd/0 ] || exec </dev/null
    [ -e /proc/self/fd/1 ] || exec >/dev/null
    [ -e /proc/self/fd/2 ] || exec 2>/dev/null
    line_break='
'
    state_dir=/var/lib/pvegen/$cluster
    switch_dir=$state_dir/network
    call='' help='' only='' from='' quiet='' overwrite='' log='' undo='' keeps_lock='' stage='' index=''
    activate='' confirm='' confirm_within='' receipt_file='' receipt_to='' receipt=''
    case $copy in
        # Read from its standard input it has no name.
        /proc/self/*) script=$node.sh ;;
        /*) script=$copy ;;
        *) script=$PWD/$copy ;;
    esac
    # A file on standard input can be copied nevertheless.
    script_file=$script
    case $copy in /proc/self/*) script_file=/proc/$$/fd/0 ;; *) ;; esac
    again=$(as_typed "$script")
    read_call "$@"
    cd / || exit 1
    case $call in
        help) usage ;;
        steps) list_steps ;;
        check | apply | verify | rollback) run_call ;;
        confirm) confirm_switch ;;
        network-*) switch_part ;;
{% if extra_calls %}
        *) other_call ;;
{% else %}
        *) ;;
{% endif %}
    esac
}

read_call() {
    while [ "$#" -gt 0 ]; do
        case $1 in
            check | apply | verify | rollback | confirm | steps | help{{ extra_calls }} | network-try | network-back | network-boot | network-prove | network-settle)
                [ -z "$call" ] || wrong_call {{ m("call.twice", first=v("$call"), second=v("$1")) }}
                call=$1
                ;;
            --only | --from)
                [ "$#" -ge 2 ] || wrong_call {{ m("call.step_missing", option=v("$1")) }}
                case $2 in *' '*) false ;; *) is_word "$2" "$step_names" ;; esac || wrong_call {{ m("call.no_step", step=v("$2"), steps=v("$step_names")) }}
                [ -z "$only$from" ] || wrong_call {{ m("call.steps_twice") }}
                if [ "$1" = --only ]; then only=$2; else from=$2; fi
                shift
                ;;
            --confirm-within)
                case ${2:-} in
                    '' | *[!0-9]* | 0* | ??????*) wrong_call {{ m("call.seconds", option=v("$1")) }} ;;
                    *) confirm_within=$2 ;;
                esac
                shift
                ;;
            --confirm)
                [ "${2:-}" = manual ] || wrong_call {{ m("call.value", option=v("$1"), value="manual") }}
                confirm=$2
                shift
                ;;
            --activate)
                [ "${2:-}" = reboot ] || wrong_call {{ m("call.value", option=v("$1"), value="reboot") }}
                activate=$2
                shift
                ;;
            --receipt)
                case ${2:-} in
                    '' | -* | */ | */.. | . | ..) wrong_call {{ m("call.receipt") }} ;;
                    /*) receipt_file=$2 ;;
                    *) receipt_file=$PWD/$2 ;;
                esac
                shift
                ;;
{% if by_api %}
            --fingerprint)
                case ${2:-} in
                    *"$line_break"*) false ;;
                    *) printf '%s\n' "${2:-}" | grep -q -x -E -e '[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}' ;;
                esac || wrong_call {{ m("call.fingerprint") }}
                fingerprint=$(printf '%s\n' "$2" | tr a-f A-F)
                shift
                ;;
            --password-fd)
                case ${2:-} in
                    0 | [3-7]) password_fd=$2 ;;
                    *) wrong_call {{ m("call.password_fd") }} ;;
                esac
                shift
                ;;
{% endif %}
            --quiet) quiet=yes ;;
            --overwrite) overwrite=yes ;;
            -h | --help) help=yes ;;
            *) wrong_call {{ m("call.unknown", word=v("$1")) }} ;;
        esac
        shift
    done
    call=${call:-check}
    [ -z "$help" ] || call=help
    case $call in
        apply | help) ;;
        rollback) [ -z "$from$overwrite$activate$receipt_file" ] || wrong_call {{ m("call.rollback_options") }} ;;
        *) [ -z "$confirm_within$confirm$activate" ] || wrong_call {{ m("call.apply_options") }} ;;
    esac
{% if by_api %}
    case $call in
        apply | help) ;;
        *) [ -z "$fingerprint$password_fd" ] || wrong_call {{ m("call.join_options") }} ;;
    esac
{% endif %}
    confirm_within=${confirm_within:-180} confirm=${confirm:-proof} activate=${activate:-now}
    case $call in
        check | apply | verify | rollback | help) ;;
        *) [ -z "$only$from$quiet$overwrite$receipt_file" ] || wrong_call {{ m("call.no_options", call=v("$call")) }} ;;
    esac
}

wrong_call() {
    printf '%s\n' "$1" >&2
    usage >&2
    exit 64
}

# is_word WORD LIST: whether the blank-separated list has the word.
is_word() {
    case " $2 " in
        *" $1 "*) return 0 ;;
        *) return 1 ;;
    esac
}

list_steps() {
    phase=list
    each_step
}

run_call() {
    phase=need step='' step_title='' top=0 points=0 points_bad=0 bad=0 changes=0 passed=''
    looks=0 temporary='' touched='' on_change='' check_with='' hup_ignored=''
    forget_looks
    case $call$receipt_file in
        # The receipt tells what a reader that goes away has not seen.
        verify* | check?*) trap '' PIPE ;;
        *) ;;
    esac
    tap_begin
    if [ "$call" = apply ] || [ "$call" = rollback ]; then
        is_root || refuse {{ m("need.root") }}
        right_host || refuse "$other_host"
        take_lock
        catch_signals
        receipt_begin
{% if by_api %}
        read_password
{% endif %}
        settle_last_switch
        # Whoever reads the output may go away; the work goes on, and into the log.
        trap '' PIPE
    else
        receipt_begin
        [ -z "$receipt_to" ] || catch_signals
    fi
    if [ "$call" = rollback ]; then
        open_log
        forget_receipts
        phase=want
{% if "admit" in extra_calls %}
        roll_back_admission
{% endif %}
        roll_back
    fi
    subtest requirements
    each_step
    subtest_end {{ m("need.title") }}
    if [ "$bad" -gt 0 ] && [ "$call" != verify ]; then
        out "1..$top"
        refuse {{ m("need.failed", count=v("$bad")) }}
    fi
    if [ "$call" = apply ]; then
        open_log
        forget_receipts
    fi
    phase=want passed=''
    each_step
    step_close
    out "1..$top"
    finish
}

# begin_call NAME: what a run of the steps sets up, for a call that is none.
begin_call() {
    step=$1 step_title='' call=apply phase=want quiet=yes points=0 points_bad=0 bad=0 changes=0 top=0
    looks=0 temporary='' touched='' on_change='' check_with=''
    forget_looks
    is_root || { printf '%s\n' {{ m("need.root") }} >&2; exit 78; }
}

# only_here: of a call that a person makes. What this node has armed for itself must go on
# where the host's name has changed, as a lease over a new network may do.
only_here() {
    right_host || { printf '%s\n' "$other_host" >&2; exit 78; }
}

# The last words and the exit status.
finish() {
    case $call in
        check)
            if [ "$changes" -gt 0 ]; then
                remark {{ m("end.check_changes", count=v("$changes")) }}
                leave_receipt 2
                exit 2
            fi
            remark {{ m("end.check_same") }}
            ;;
        apply)
            if [ "$bad" -gt 0 ]; then
                remark {{ m("end.apply_bad", count=v("$bad")) }}
                leave_receipt 1
                exit 1
            fi
            remark {{ m("end.apply", count=v("$changes")) }}
            leave_receipt 0
            after_apply
            ;;
        *)
            if [ "$bad" -gt 0 ]; then
                remark {{ m("end.verify_bad", count=v("$bad")) }}
                leave_receipt 1
                exit 1
            fi
            remark {{ m("end.verify") }}
            ;;
    esac
    leave_receipt 0
    exit 0
}

# refuse WHY: nothing was changed, exit status 78.
refuse() {
    bail "$1"
    leave_receipt 78
    exit 78
}

# stop WHY [WHAT-TO-DO]: apply ends part way, exit status 1.
stop() {
    # While files are only staged no point is told; this one is.
    stage=''
    point 'not ok' "$1"
    [ -z "${2:-}" ] || detail help "$2"
    end_part_way "$1"
}

end_part_way() {
    step_close
    [ -z "$undo" ] || "$undo"
    bail {{ m("end.stopped", step=v("$step"), why=v("$1")) }}
    remark {{ m("end.stopped_next", again=v("$again"), call=v("$call")) }}
    leave_receipt 1
    exit 1
}

catch_signals() {
    [ -n "$hup_ignored" ] || trap 'interrupted 129' HUP
    trap 'interrupted 130' INT
    trap 'interrupted 143' TERM
}

interrupted() {
    # What ends us may have ended whoever reads the output, too.
    trap '' HUP INT TERM PIPE
    [ -z "${temporary:-}" ] || rm -f "$temporary"
    [ -z "$undo" ] || "$undo"
    case $call in
        check | verify) bail {{ m("end.looks_interrupted", step=v("$step")) }} ;;
        *) bail {{ m("end.interrupted", step=v("$step"), call=v("$call")) }} ;;
    esac
    leave_receipt "$1" quick
    exit "$1"
}

# take_lock [wait]: one run at a time; "wait" waits for the end of another.
take_lock() {
    # Its own: another user's lock on it would hold us up.
    own_directories /run/pvegen || refuse {{ m("lock.failed") }}
    refuse_planted /run/pvegen/lock
    true >>/run/pvegen/lock || refuse {{ m("lock.failed") }}
    until try_lock; do
        [ "${1:-}" = wait ] || refuse {{ m("lock.held") }}
        sleep 1
    done
}

# try_lock: flock where there is one. Else runs have numbers: the highest has the lock
# for as long as its process lives, and only one can be the next.
try_lock() {
    if command -v flock >/dev/null 2>&1; then
        exec 9>>/run/pvegen/lock
        # ksh and mksh hand a descriptor on only where it is named.
        flock -n 9 9>&9
        return
    fi
    read -r boot_id </proc/sys/kernel/random/boot_id
    last_run
    [ "$run_number" -eq 0 ] || ! run_lives "$run_number" || return 1
    started "$$"
    printf '%s %s %s\n' "$$" "$start_time" "$boot_id" >"/run/pvegen/new.$$" || refuse {{ m("lock.failed") }}
    own_run=$((run_number + 1))
    ln "/run/pvegen/new.$$" "/run/pvegen/run.$own_run" 2>/dev/null
    run_made=$?
    rm -f "/run/pvegen/new.$$"
    [ "$run_made" -eq 0 ] || return 1
    last_run
    # What we saw may have been long ago.
    if [ "$run_number" -ne "$own_run" ]; then
        rm -f "/run/pvegen/run.$own_run"
        return 1
    fi
    for run_file in /run/pvegen/run.*; do
        [ "$run_file" = "/run/pvegen/run.$own_run" ] || rm -f "$run_file"
    done
}

# last_run: sets $run_number to the highest number of a run; 0 where there is none.
last_run() {
    run_number=0
    for run_file in /run/pvegen/run.*; do
        [ -e "$run_file" ] || continue
        [ "${run_file##*.}" -le "$run_number" ] || run_number=${run_file##*.}
    done
}

# run_lives NUMBER: its process is there: this number, this start, this boot. Gone
# meanwhile, its place is taken.
run_lives() {
    { read -r run_pid run_start run_boot <"/run/pvegen/run.$1"; } 2>/dev/null || return 0
    [ "$run_boot" = "$boot_id" ] && started "$run_pid" && [ "$start_time" = "$run_start" ]
}

# started PID: sets $start_time to when the process began; false where there is none.
started() {
    start_time=''
    { read -r start_line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # Its name is in brackets, and may hold anything.
    read -r start_state _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start_time _ <<END
${start_line##*) }
END
    [ "$start_state" != Z ]
}

# own_directories PATH...: they are there, and root's alone; somebody else's are refused.
own_directories() {
    (umask 077 && mkdir -p "$@") || return 1
    planted=$(others_write "$@")
    [ -z "$planted" ] || refuse {{ m("lock.planted", paths=v("$planted")) }}
    chmod 700 "$@"
}

# refuse_planted PATH: a link or a pipe stands where we write into a file.
refuse_planted() {
    if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then
        refuse {{ m("file.not_plain", path=v("$1")) }}
    fi
}

# check_of FILE-OR-UNIT: what has to accept it before it is put back, into $check_with.
check_of() {
    check_with=''
{% if extra_calls %}
    case $1 in
        "$sshd_config" | "$sshd_unit") check_with=sshd_keeps_login ;;
        *) ;;
    esac
{% endif %}
}

{% if "admit" in extra_calls %}
# roll_back_admission: admit comes before all steps: it is the last that was opened.
roll_back_admission() {
    if [ -e "$state_dir/admitted" ] || [ -e "$state_dir/close.sh" ]; then
        step=admission
        subtest admission
        end_admission
        systemctl stop pvegen-close-later.timer >/dev/null 2>&1
        rm -f "$state_dir/close.sh"
        same {{ m("admit.closed") }}
        subtest_end admission
    fi
}

{% endif %}
open_log() {
    own_directories /var/log/pvegen || refuse {{ m("log.failed") }}
    refuse_planted "/var/log/pvegen/$cluster.log"
    true >>"/var/log/pvegen/$cluster.log" || refuse {{ m("log.failed") }}
    own_directories /var/lib/pvegen || refuse {{ m("store.failed") }}
    exec 8>>"/var/log/pvegen/$cluster.log"
    log=yes
    run_began=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
    printf '\n# %s %s %s\n' "${run_began#* }" "$node" "$call${overwrite:+ --overwrite}" >&8
    # For the next run, which sees by it that the clock was set back.
    printf '%s\n' "$run_began" >"/var/log/pvegen/$cluster.last"
}
