# The receipt: what a run has found, as a small text file that is carried back to the
# desk (pvegen receipts). A line is a key and its value; the last is a digest of all
# others that is short enough to be read off a screen. Neither contents of files nor
# output of commands are in it.

# receipt_begin: from here on, whatever ends this run leaves a receipt. check leaves one
# where it is asked to; one under /var/log/pvegen takes the place of that of the last run.
receipt_begin() {
    receipt='' receipt_to=$receipt_file
    case $call in
        apply | verify) receipt_to=${receipt_file:-/var/log/pvegen/$cluster.$call.receipt} ;;
        check) ;;
        *) receipt_to='' ;;
    esac
    [ -n "$receipt_to" ] || return 0
    if ! is_root || ! right_host; then
        receipt_to=''
        return 0
    fi
    receipt_began=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
    if [ -n "$receipt_file" ] && ! receipt_fits; then
        receipt_to=''
        refuse {{ m("receipt.place", path=v("$receipt_file")) }}
    fi
    # A look that is killed leaves none, rather than an earlier one that says all is well.
    [ "$call" != verify ] || rm -f "/var/log/pvegen/$cluster.verify.receipt" 2>/dev/null
    return 0
}

# forget_receipts: what earlier runs have left tells of a node that is changed from here
# on. A run that is killed leaves none, rather than theirs.
forget_receipts() {
    rm -f "/var/log/pvegen/$cluster.apply.receipt"* "/var/log/pvegen/$cluster.verify.receipt"* 2>/dev/null
}

# receipt_fits: nobody else can put anything in the way of what we write there.
receipt_fits() {
    # Not its errors as well: a shell that traces would have its trace among them.
    receipt_planted=$(others_write "${receipt_to%/*}/." 2>/dev/null) && [ -z "$receipt_planted" ] && [ ! -L "$receipt_to" ] &&
        { [ ! -e "$receipt_to" ] || [ -f "$receipt_to" ]; }
}

# receipt_add LINE: one more; what comes after 60,000 bytes is left out.
receipt_add() {
    [ -n "${receipt_to:-}" ] || return 0
    [ "${#receipt}" -lt 60000 ] || return 0
    receipt=$receipt${1%%"$line_break"*}$line_break
}

# leave_receipt STATUS [quick]: the run ends with this exit status, with or without a
# receipt. "quick" asks no other node. A run that was refused leaves the node as it was.
leave_receipt() {
    [ -n "${receipt_to:-}" ] || return 0
    [ "$1" -ne 78 ] || [ -n "$receipt_file" ] || return 0
    receipt_path=$receipt_to
    # What goes wrong in it ends the subshell alone, and what hangs in it does not keep the
    # lock when the run is broken off. Of a signal that comes meanwhile another receipt tells.
    receipt_sum=$(exec 8>&- 9>&- && log='' receipt_to='' && write_receipt "$@" 2>/dev/null) || receipt_sum=''
    # The run has ended as the receipt says.
    trap '' HUP INT TERM
    receipt_to=''
    if [ -z "$receipt_sum" ]; then
        remark {{ m("receipt.failed", path=v("$receipt_path")) }}
    elif [ -z "$quiet" ] || [ -n "$receipt_file" ]; then
        remark {{ m("receipt.left", path=v("$receipt_path"), digest=v("$receipt_sum")) }}
    fi
    return 0
}

# write_receipt STATUS [quick]: puts it in its place at once, and prints its digest.
write_receipt() {
    [ -n "$receipt_file" ] || own_directories /var/log/pvegen >&2
    receipt_to=$receipt_path
    receipt_fits || return 1
    receipt_to=''
    # Blanks at ends of lines would get lost on the way.
    receipt_text=$(receipt_lines "$@" | tr -d '\000-\011\013-\037\177' | sed 's/ *$//')
    receipt_sum=$(printf '%s\n' "$receipt_text" | sha256sum | short_digest)
    [ -n "$receipt_sum" ] || return 1
    receipt_new=$receipt_path.new
    # Several verify may run at a time.
    [ "$call" = apply ] || receipt_new=$receipt_new.$$
    umask 077
    rm -f "$receipt_new" || return 1
    # A name that comes to be there meanwhile is not written through.
    set -C
    if printf '%s\n' "$receipt_text" "digest $receipt_sum" >"$receipt_new" && flush "$receipt_new" &&
        mv -f "$receipt_new" "$receipt_path"; then
        printf '%s\n' "$receipt_sum"
    else
        rm -f "$receipt_new"
        return 1
    fi
}

# short_digest: of what sha256sum says 80 bits, in letters and digits that are not taken
# for one another on a screen, and one more for slips of whoever types it: Luhn's sum of
# 16 digits, which finds one wrong digit and most pairs that changed places.
short_digest() {
    awk '
        NR == 1 && length($1) == 64 {
            for (i = 20; i > 0; i--) {
                digit = index("0123456789abcdef", substr($1, i, 1)) - 1
                value = digit * (2 - i % 2)
                sum += int(value / 16) + value % 16
                text = substr("2345679ACFHJKPRX", digit + 1, 1) (i % 5 ? "" : "-") text
            }
            print text substr("2345679ACFHJKPRX", (16 - sum % 16) % 16 + 1, 1)
        }'
}

# receipt_lines STATUS [quick]: all lines but the last.
receipt_lines() {
    printf '%s\n' 'pvegen-receipt 1' "cluster $cluster" "node $node" "call $call" "part ${only:+only $only}${from:+from $from}" \
        "status $1" "script $digest" "pvegen $pvegen_version" "target $target" "steps $step_names" "pve ${pve_version:-}" \
        "kernel $(uname -r)" "began $receipt_began" "ended $(date -u '+%s %Y-%m-%dT%H:%M:%SZ')"
    printf '%s' "$receipt"
    [ "${#receipt}" -lt 60000 ] || printf '%s\n' 'cut'
    [ -z "${2:-}" ] || return 0
    [ ! -r /etc/pve/.members ] || printf 'members %s\n' "$(tr -d ' \t\n' </etc/pve/.members | cut -c 1-20000)"
    receipt_names=$node
    for other in $other_nodes; do receipt_names="$receipt_names ${other%%=*}"; done
    # shellcheck disable=SC2086
    getent hosts $receipt_names | while read -r name_address name_words; do
        printf 'name %s %s\n' "$name_address" "$name_words"
    done
    for other in $other_nodes; do reach_other "${other%%=*}" "${other#*=}" & done
    wait
}

# reach_other NAME ADDRESS: whether another node answers, and by how many milliseconds its
# clock is ahead of this one's: the timestamps of RFC 791 in a ping say it, where they get
# through and both nodes have IPv4.
reach_other() {
    other_answers=silent
    # Both at once: whoever is silent is waited for only once.
    ping -c 1 -W 2 "$2" >/dev/null 2>&1 &
    other_plain=$!
    if other_ping=$(ping -c 1 -W 2 -T tsonly "$2" 2>/dev/null); then
        other_answers=answers
        printf '%s\n' "$other_ping" | awk -v name="$1" '
            stamped {
                # A day has 86,400,000; midnight may be between the two.
                ahead = ($1 + 129600000) % 86400000 - 43200000
                if (NF == 1 && $1 ~ /^-?[0-9]+$/) print "clock", name, ahead
                exit
            }
            $1 == "TS:" { stamped = NF == 3 && $3 == "absolute" }'
    fi
    ! wait "$other_plain" || other_answers=answers
    printf 'reach %s %s %s\n' "$1" "$2" "$other_answers"
}
