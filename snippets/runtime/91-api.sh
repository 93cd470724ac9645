# Joining through the API: the member is known by its certificate, and root's password
# there is given once. No secret is ever a word of a command, and none is in a file. Nor
# is one in a trace: mksh goes on with that when a function returns, so each function
# that expands a secret ends it anew.

# need_api_member ADDRESS NAME FINGERPRINT: before a join, it is known which certificate
# the member has, and that it answers with it. While the network here is yet to be
# brought up it cannot be asked; the join itself asks again.
need_api_member() {
    [ "$call $phase" = 'apply need' ] || return 0
    ! is_member || return 0
    if [ -z "${password:+known}" ] && ! { true </dev/tty; } 2>/dev/null; then
        need_failed {{ m("api.no_terminal") }} {{ m("api.no_terminal_do") }}
    fi
    if ! wanted_fingerprint "$2" "$3"; then
        need_failed "$wrong" "$wrong_do"
    elif [ -n "${holds_wrong:-}" ]; then
        return 0
    elif shows_certificate "$1" "$2"; then
        need_met {{ m("api.certificate", member=v("$2")) }}
    else
        need_failed "$wrong" "$wrong_do"
    fi
}

# wanted_fingerprint MEMBER STATED: the one of the description and that of --fingerprint
# are one, in $member_print; else what is not so is in $wrong and $wrong_do.
wanted_fingerprint() {
    member_print=${fingerprint:-$2} wrong='' wrong_do=''
    if [ -z "$member_print" ]; then
        wrong={{ m("api.no_fingerprint", member=v("$1")) }}
        wrong_do={{ m("api.no_fingerprint_do", member=v("$1"), again=v("$again")) }}
    elif [ -n "$2" ] && [ "$2" != "$member_print" ]; then
        wrong={{ m("api.two_fingerprints", member=v("$1"), stated=v("$2"), given=v("$member_print")) }}
        wrong_do={{ m("api.compare_do", member=v("$1")) }}
    fi
    [ -z "$wrong" ]
}

# shows_certificate ADDRESS NAME: the member's web interface answers, with the certificate
# that it is to have; the certificate is in $member_pem.
shows_certificate() {
    wrong={{ m("api.silent", member=v("$2")) }} wrong_do={{ m("api.silent_do", member=v("$2"), address=v("$1")) }}
    api_answers "$1" || return 1
    certificate_at "$1"
    member_pem=$shown_pem
    if [ "$shown_print" != "$member_print" ]; then
        wrong={{ m("api.other_certificate", member=v("$2"), found=v("${shown_print:--}"), wanted=v("$member_print")) }}
        wrong_do={{ m("api.compare_do", member=v("$2")) }}
        return 1
    fi
    wrong='' wrong_do=''
}

# certificate_at ADDRESS: what the web interface there shows, in $shown_pem, and its
# fingerprint, in $shown_print; both are empty where it shows none.
certificate_at() {
    shown_pem=$(timeout 10 openssl s_client -connect "$1:8006" </dev/null 2>/dev/null | openssl x509 2>/dev/null)
    shown_print=$(printf '%s\n' "$shown_pem" | openssl x509 -noout -fingerprint -sha256 2>/dev/null)
    shown_print=${shown_print#*=}
}

# join_by_api ADDRESS MEMBER FINGERPRINT [OPTION...]: asks the member first, changes after.
join_by_api() {
    [ "$phase" = want ] || return 0
    join_address=$1 join_member=$2 stated_print=$3
    shift 3
    wanted_fingerprint "$join_member" "$stated_print" || :
    set -- --fingerprint "${member_print:-FINGERPRINT}" "$@"
    join_begins "$@" || return 0
    if ! wanted_fingerprint "$join_member" "$stated_print" || ! shows_certificate "$join_address" "$join_member"; then
        stop "$wrong" "$wrong_do"
    fi
    ask_password
    api_member_is_fit "$join_address" "$join_member" || stop "$wrong" "$wrong_do"
    lock_api_join
    # Another node may have joined before we had the lock.
    api_member_is_fit "$join_address" "$join_member" || stop "$wrong" "$wrong_do"
    note {{ m("join.member_fine", member=v("$join_member")) }}
    run_add with_password timeout -k 10 "$limit_join" pvecm add "$join_address" "$@"
    join_ends api_member_is_fit "$@"
    # From here on this node can take the lock away by itself.
    undo='' password=''
    rm -f /run/pvegen/member.pem
}

# lock_api_join: two nodes that join at the same time hang both, whichever members they
# join through. A group of users, without users and rights, names the one that joins: the
# API makes it once or says that it is there, and all members share it. One of our own
# was left by a run that was broken off.
lock_api_join() {
    undo=undo_api_lock api_purpose=lock
    member_said=$(api_session "$join_address")
    api_purpose=look
    case $member_said in
        *"$line_break""locked $node") ;;
        *"$line_break""locked "?*)
            undo=''
            join_holder=${member_said##*"$line_break"locked }
            stop {{ m("join.locked", holder=v("$join_holder")) }} \
                {{ m("api.locked_do", member=v("$join_member")) }}
            ;;
        *) stop {{ m("api.no_lock", member=v("$join_member")) }} {{ m("join.no_quorum_do", member=v("$join_member")) }} ;;
    esac
}

# undo_api_lock: what lock_api_join made goes, where this node did not get into the cluster.
undo_api_lock() {
    undo='' api_purpose=unlock
    api_session "$join_address" >/dev/null
}

# unlock_api_join: the same from within the cluster, of this run or of one that was
# broken off.
unlock_api_join() {
    [ "$call $phase" = 'apply want' ] || return 0
    if grep -q -s -E -e "^group:pvegen-join:[^:]*:$node:" /etc/pve/user.cfg; then
        run pvesh pvesh delete /access/groups/pvegen-join
    fi
    return 0
}

# put_line TEXT: the line as it is, by the shell itself: mksh's printf is a command, whose
# words anybody can see.
put_line() {
    case $(command -v print) in
        print) print -r -- "$1" ;;
        *) printf '%s\n' "$1" ;;
    esac
}

# with_password COMMAND...: its standard input is the password; see "run" for the lock.
# One that ends before it has read it is no fault of the shell's to tell of.
with_password() {
    set +x
    if [ -n "$keeps_lock" ] && [ -e /dev/fd/9 ]; then
        put_line "$password" 2>/dev/null | "$@" 9>&9
    else
        put_line "$password" 2>/dev/null | "$@"
    fi
}

# no_core: from here on this shell knows a secret, and is to leave no core file.
no_core() {
    # POSIX does not have it; all shells that are tested do.
    # shellcheck disable=SC3045
    ulimit -c 0 2>/dev/null
}

# read_password: the line from the descriptor that --password-fd names, before anything
# else can read it. A terminal would show it: that is what asking is for. In the locale C
# yash reads nothing but ASCII.
read_password() {
    [ -n "$password_fd" ] || return 0
    [ ! -t "$password_fd" ] || refuse {{ m("api.fd_terminal", number=v("$password_fd")) }}
    set +x
    no_core
    read_line "$password_fd" 2>/dev/null
    case $password_fd in
        0) exec </dev/null ;;
        *) eval "exec $password_fd<&-" ;;
    esac
    [ "$line_status" -ne 124 ] || refuse {{ m("api.fd_late", number=v("$password_fd"), seconds=v("$limit_password")) }}
    [ -n "$password" ] || refuse {{ m("api.fd_empty", number=v("$password_fd")) }}
}

# read_line DESCRIPTOR: the line that comes within $limit_password seconds, into $password; 124 in
# $line_status where none does. "read" has no limit of its own in POSIX, and that of yash
# is broken off by no signal: so another process reads, and what it has comes through a
# named pipe, which is no file that holds anything. A $(...) would be one in ksh93.
read_line() {
    set +x
    password='' line_status=0
    { true <&"$1"; } 2>/dev/null || return 0
    line_pipe=/run/pvegen/line
    rm -f "$line_pipe"
    (umask 077 && mkfifo "$line_pipe") || cannot_write "$line_pipe"
    # By a number of its own: what runs in the background has /dev/null as 0.
    {
        # Where we are killed before the pipe is open, what waits there must not have the lock.
        (exec 8>&- 9>&- && exec timeout --foreground "$limit_password" head -n 1 >"$line_pipe" <&3 3<&-) &
        line_reader=$!
    } 3<&"$1"
    if [ "$undo" = show_typing ]; then restore_typing & fi
    # A signal, as that of a child that ends, breaks the opening off in some shells: then
    # again, or the other end would wait for ever.
    line_opened=''
    while [ -z "$line_opened" ] && [ -p "$line_pipe" ]; do
        { line_opened=yes && IFS= read -r password; } 2>/dev/null <"$line_pipe"
    done
    wait "$line_reader"
    line_status=$?
    line_reader=''
    rm -f "$line_pipe"
}

# ask_password: root's password on the member, from the terminal, which does not show it.
ask_password() {
    [ -z "${password:+known}" ] || return 0
    set +x
    no_core
    note {{ m("api.asks", member=v("$join_member")) }}
    terminal_was=$(stty -g </dev/tty 2>/dev/null) || stop {{ m("api.no_terminal") }} {{ m("api.no_terminal_do") }}
    undo=show_typing
    trap 'interrupted 131' QUIT
    trap '' TSTP
    stty -echo </dev/tty || stop {{ m("api.no_terminal") }} {{ m("api.no_terminal_do") }}
    terminal_asks=$(stty -g </dev/tty)
    printf '%s' {{ m("api.prompt", member=v("$join_member")) }} >/dev/tty
    exec 7</dev/tty
    read_line 7
    exec 7<&-
    show_typing
    trap - QUIT TSTP
    [ "$line_status" -ne 124 ] || stop {{ m("api.late", seconds=v("$limit_password")) }} {{ m("api.no_terminal_do") }}
    [ -n "$password" ] || stop {{ m("api.no_password") }} {{ m("api.no_terminal_do") }}
}

# show_typing: the terminal is again as ask_password found it.
show_typing() {
    [ -z "${line_reader:-}" ] || kill "$line_reader" 2>/dev/null
    rm -f /run/pvegen/line
    stty "$terminal_was" </dev/tty 2>/dev/null
    printf '\n' >/dev/tty
    undo=''
}

# restore_typing: the same where this script is killed by KILL while it asks, for then it
# can do nothing itself: in the background, until it has asked. A terminal that somebody
# else, as the shell there, has set meanwhile is left as it is.
restore_typing() {
    trap '' HUP INT QUIT TERM TTOU TTIN
    exec 7<&- 8>&- 9>&- </dev/null >/dev/null 2>&1
    while [ -d "/proc/$$" ] && [ -d "/proc/$line_reader" ]; do sleep 1; done
    [ ! -d "/proc/$$" ] || return 0
    kill "$line_reader"
    [ "$(stty -g </dev/tty)" != "$terminal_asks" ] || stty "$terminal_was" </dev/tty
}

# api_member_is_fit ADDRESS NAME: as member_is_fit, asked with root's password. The
# machine's id cannot be asked for; its host keys can, where its sshd is up.
api_member_is_fit() {
    set +x
    printf '%s\n' "$member_pem" >/run/pvegen/member.pem || cannot_write /run/pvegen/member.pem
    api_length=$(put_line "$password" | wc -c)
    member_said=$(api_session "$1")
    wrong={{ m("api.silent", member=v("$2")) }} wrong_do={{ m("api.silent_do", member=v("$2"), address=v("$1")) }}
    { read -r login_said && read -r member_time own_time && read -r member_version && IFS= read -r members; } <<END || :
$member_said
END
    case $login_said in
        200) ;;
        401) wrong={{ m("api.wrong_password", member=v("$2")) }} wrong_do={{ m("api.wrong_password_do", member=v("$2")) }} ;;
        second-factor) wrong={{ m("api.second_factor", member=v("$2")) }} wrong_do={{ m("api.second_factor_do") }} ;;
        *) wrong={{ m("api.no_ticket", member=v("$2"), status=v("${login_said:--}")) }} ;;
    esac
    [ "$login_said" = 200 ] && [ -n "$members" ] || return 1
    case $member_time in
        '' | *[!0-9A-F]* | ?????????*) clock_off=0 ;;
        *) clock_off=$((own_time - 0x$member_time)) ;;
    esac
    member_version=${member_version#*'"version":"'}
    member_version=${member_version%%'"'*}
    # In the words of .members.
    members=$(printf '%s\n' "$members" | tr '{' '\n' | awk '
        function value(key) {
            if (!match($0, "\"" key "\":\"?[^\",}]*")) return ""
            found = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
            sub(/^"/, "", found)
            return found
        }
        value("type") == "cluster" { printf "\"cluster\":{\"name\":\"%s\",\"quorate\":%s},", value("name"), value("quorate") }
        value("type") == "node" { printf "\"%s\":{\"online\":%d,\"ip\":\"%s\"},", value("name"), value("online"), value("ip") }')
    member_machine=" $(ssh-keyscan -T "$limit_ssh" "$1" 2>/dev/null) "
    judge_member "$2"
}

# api_session ADDRESS: logs in and asks; prints no secret, but a line each: how the login
# went; the time there, which is in the ticket, and here; /version; /cluster/status.
# Secrets go through pipes alone: ksh93 keeps in a file what $(...) gives.
api_session() {
    set +x
    {
        printf '%s\r\n' 'POST /api2/json/access/ticket HTTP/1.0' 'Content-Type: application/x-www-form-urlencoded' \
            "Content-Length: $((29 + 3 * (api_length - 1)))" ''
        printf '%s' 'username=root%40pam&password='
        put_line "$password" | od -A n -v -t x1 | tr -s ' \n' '%%' | sed 's/%0a%$//'
    } | api_send "$1" | api_ask "$1"
}

# api_ask ADDRESS: what comes after the answer to the login, on standard input.
api_ask() {
    set +x
    api_read
    case "$api_status $api_body" in
        '200 '*'"NeedTFA"'*) api_status=second-factor ;;
        '200 '*'"ticket":"'*) ;;
        '200 '*) api_status='' ;;
        *) ;;
    esac
    printf '%s\n' "$api_status"
    [ "$api_status" = 200 ] || return 0
    api_ticket=${api_body#*'"ticket":"'}
    api_ticket=${api_ticket%%'"'*}
    # "PVE:root@pam:6745A3F0::...": the seconds since 1970.
    ticket_time=${api_ticket#*:*:}
    printf '%s %s\n' "${ticket_time%%:*}" "$(date +%s)"
    api_token=${api_body#*'"CSRFPreventionToken":"'}
    api_token=${api_token%%'"'*}
    case $api_purpose in
        lock)
            api_request "$1" POST /access/groups "groupid=pvegen-join&comment=$node" >/dev/null
            api_holder "$1"
            ;;
        unlock) [ "$(api_holder "$1")" != "locked $node" ] || api_request "$1" DELETE /access/groups/pvegen-join ;;
        *)
            api_request "$1" GET /version
            api_request "$1" GET /cluster/status
            ;;
    esac
}

# api_holder ADDRESS: prints "locked" and which node has it, if any: that says the group alone.
api_holder() {
    api_request "$1" GET /access/groups/pvegen-join | sed -n 's/.*"comment":"\([A-Za-z0-9-]*\)".*/locked \1/p'
}

# api_request ADDRESS METHOD PATH [FIELDS]: prints the body of the answer, on one line; an
# empty one where it is not what was asked for.
api_request() {
    set +x
    {
        put_line "$2 /api2/json$3 HTTP/1.0$carriage_return"
        put_line "Cookie: PVEAuthCookie=$api_ticket$carriage_return"
        if [ "$2" != GET ]; then
            put_line "CSRFPreventionToken: $api_token$carriage_return"
            put_line "Content-Type: application/x-www-form-urlencoded$carriage_return"
            fields=${4:-}
            put_line "Content-Length: ${#fields}$carriage_return"
        fi
        put_line "$carriage_return"
        [ -z "${4:-}" ] || printf '%s' "$4"
    } | api_send "$1" | api_tell
}

api_tell() {
    api_read
    [ "$api_status" = 200 ] || api_body=''
    printf '%s\n' "$api_body"
}

# api_send ADDRESS: standard input to the member; its answer without blanks but in the
# first line. Nobody else gets it: the one certificate that was compared is all that is
# trusted, and its key has to be there. pvecm does not look at its dates either.
api_send() {
    timeout 20 openssl s_client -quiet -connect "$1:8006" \
        -CAfile /run/pvegen/member.pem -no-CApath -partial_chain -verify 9 -verify_return_error -no_check_time 2>/dev/null |
        tr -d '\r\t' | sed '2,$s/ //g'
}

# api_read: the answer on standard input, into $api_status and $api_body.
api_read() {
    set +x
    api_status='' api_body=''
    read -r _ api_status _
    while IFS= read -r api_line && [ -n "$api_line" ]; do :; done
    while IFS= read -r api_line || [ -n "$api_line" ]; do api_body=$api_body$api_line; done
}

# print_fingerprint: of the certificate that this node's web interface shows. A node that
# is yet to join gets another one then.
print_fingerprint() {
    begin_call fingerprint
    if ! is_member; then
        printf '%s\n' {{ m("api.not_member", node=v("$node"), cluster=v("$cluster")) }} >&2
        exit 1
    fi
    # As pveproxy chooses: the administrator's own goes first, where its key is there too.
    own_certificate=/etc/pve/local/pveproxy-ssl
    { [ -f "$own_certificate.pem" ] && [ -f "$own_certificate.key" ]; } || own_certificate=/etc/pve/local/pve-ssl
    own_certificate=$own_certificate.pem
    if ! own_print=$(openssl x509 -noout -fingerprint -sha256 -in "$own_certificate" 2>/dev/null); then
        printf '%s\n' {{ m("api.no_own_certificate", path=v("$own_certificate")) }} >&2
        exit 1
    fi
    own_print=${own_print#*=}
    certificate_at 127.0.0.1
    # Where it listens elsewhere only, the file has to do.
    if [ -n "$shown_print" ] && [ "$shown_print" != "$own_print" ]; then
        printf '%s\n' {{ m("api.not_shown", path=v("$own_certificate"), shown=v("$shown_print")) }} >&2
        exit 1
    fi
    printf '# [[node]] %s\n' "$node"
    printf 'fingerprint = "%s"\n' "$own_print"
    printf '# %s\n' {{ m("api.option", fingerprint=v("$own_print")) }}
}
