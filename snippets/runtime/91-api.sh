# Joining through the API: the member is known by its certificate, and root's password
# there is given once. No secret is ever a word of a command, and none is in a file.

# need_api_member ADDRESS NAME FINGERPRINT: before a join, it is known which certificate
# the member has, and that it answers with it. While the network here is yet to be
# brought up it cannot be asked; the join itself asks again.
need_api_member() {
    [ "$call $phase" = 'apply need' ] || return 0
    ! is_member || return 0
    if [ -z "$password" ] && ! { true </dev/tty; } 2>/dev/null; then
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
    member_pem=$(timeout 10 openssl s_client -connect "$1:8006" </dev/null 2>/dev/null | openssl x509 2>/dev/null)
    shown_print=$(printf '%s\n' "$member_pem" | openssl x509 -noout -fingerprint -sha256 2>/dev/null)
    shown_print=${shown_print#*=}
    if [ "$shown_print" != "$member_print" ]; then
        wrong={{ m("api.other_certificate", member=v("$2"), found=v("${shown_print:--}"), wanted=v("$member_print")) }}
        wrong_do={{ m("api.compare_do", member=v("$2")) }}
        return 1
    fi
    wrong='' wrong_do=''
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
    api_login
    api_member_is_fit "$join_address" "$join_member" || stop "$wrong" "$wrong_do"
    note {{ m("join.member_fine", member=v("$join_member")) }}
    run_add with_password timeout -k 10 "$limit_join" pvecm add "$join_address" "$@"
    join_ends api_member_is_fit "$@"
    password='' api_ticket=''
    rm -f /run/pvegen/member.pem
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
with_password() {
    if [ -n "$keeps_lock" ] && [ -e /dev/fd/9 ]; then
        put_line "$password" | "$@" 9>&9
    else
        put_line "$password" | "$@"
    fi
}

# read_password: the line from the descriptor that --password-fd names, before anything
# else can read it.
read_password() {
    [ -n "$password_fd" ] || return 0
    # Not into a trace of the shell's.
    set +x
    { IFS= read -r password <&"$password_fd"; } 2>/dev/null
    case $password_fd in
        0) exec </dev/null ;;
        *) eval "exec $password_fd<&-" ;;
    esac
    [ -n "$password" ] || refuse {{ m("api.fd_empty", number=v("$password_fd")) }}
}

# ask_password: root's password on the member, from the terminal, which does not show it.
ask_password() {
    [ -z "$password" ] || return 0
    set +x
    note {{ m("api.asks", member=v("$join_member")) }}
    terminal_was=$(stty -g </dev/tty 2>/dev/null) || stop {{ m("api.no_terminal") }} {{ m("api.no_terminal_do") }}
    undo=show_typing
    trap 'interrupted 131' QUIT
    trap '' TSTP
    stty -echo </dev/tty
    printf '%s' {{ m("api.prompt", member=v("$join_member")) }} >/dev/tty
    IFS= read -r password </dev/tty
    show_typing
    trap - QUIT TSTP
    [ -n "$password" ] || stop {{ m("api.no_password") }} {{ m("api.no_terminal_do") }}
}

# show_typing: the terminal is again as ask_password found it.
show_typing() {
    stty "$terminal_was" </dev/tty 2>/dev/null
    printf '\n' >/dev/tty
    undo=''
}

# api_login: a ticket for root's password, into $api_ticket. It tells the member's time as well.
api_login() {
    printf '%s\n' "$member_pem" >/run/pvegen/member.pem || cannot_write /run/pvegen/member.pem
    api_request=$(put_line "$password" | od -A n -v -t x1 | tr -s ' \n' '%%')
    api_request="username=root%40pam&password=${api_request%"%0a%"}"
    api_request="POST /api2/json/access/ticket HTTP/1.0$carriage_return
Content-Type: application/x-www-form-urlencoded$carriage_return
Content-Length: ${#api_request}$carriage_return
$carriage_return
$api_request"
    api_ask "$join_address"
    case "$api_status $api_body" in
        '200 '*'"NeedTFA"'*) stop {{ m("api.second_factor", member=v("$join_member")) }} {{ m("api.second_factor_do") }} ;;
        '200 '*'"ticket":"'*) ;;
        '401 '*) stop {{ m("api.wrong_password", member=v("$join_member")) }} {{ m("api.wrong_password_do", member=v("$join_member")) }} ;;
        *)
            stop {{ m("api.no_ticket", member=v("$join_member"), status=v("${api_status:--}")) }} \
                {{ m("api.silent_do", member=v("$join_member"), address=v("$join_address")) }}
            ;;
    esac
    own_time=$(date +%s)
    api_ticket=${api_body#*'"ticket":"'}
    api_ticket=${api_ticket%%'"'*}
    # "PVE:root@pam:6745A3F0::...": the seconds since 1970.
    member_time=${api_ticket#*:*:}
    member_time=${member_time%%:*}
    case $member_time in
        '' | *[!0-9A-F]* | ?????????*) clock_off=0 ;;
        *) clock_off=$((own_time - 0x$member_time)) ;;
    esac
}

# api_ask ADDRESS: $api_request to the member; the answer in $api_status and $api_body.
# Nobody else gets it: the one certificate that was compared is all that is trusted.
# pvecm does not look at its dates either.
api_ask() {
    api_body=$(put_line "$api_request" | timeout 20 openssl s_client -quiet -connect "$1:8006" \
        -CAfile /run/pvegen/member.pem -no-CApath -partial_chain -verify_return_error -no_check_time 2>/dev/null |
        tr -d '\r' | sed '2,$s/ //g')
    api_status=${api_body%%"$line_break"*}
    api_status=${api_status#* }
    api_status=${api_status%% *}
    api_body=${api_body#*"$line_break$line_break"}
    api_request=''
}

api_get() {
    api_request="GET /api2/json$2 HTTP/1.0$carriage_return
Cookie: PVEAuthCookie=$api_ticket$carriage_return
$carriage_return"
    api_ask "$1"
    [ "$api_status" = 200 ]
}

# api_member_is_fit ADDRESS NAME: as member_is_fit. The machine's id cannot be asked for;
# its host keys can, where its sshd is up.
api_member_is_fit() {
    wrong={{ m("api.silent", member=v("$2")) }} wrong_do={{ m("api.silent_do", member=v("$2"), address=v("$1")) }}
    api_get "$1" /version || return 1
    member_version=${api_body#*'"version":"'}
    member_version=${member_version%%'"'*}
    api_get "$1" /cluster/status || return 1
    # In the words of .members.
    members=$(printf '%s\n' "$api_body" | tr -d '\t\n' | tr '{' '\n' | awk '
        function value(key) {
            if (!match($0, "\"" key "\":\"?[^\",}]*")) return ""
            found = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
            sub(/^"/, "", found)
            return found
        }
        value("type") == "cluster" { printf "\"cluster\":{\"name\":\"%s\",\"quorate\":%s},", value("name"), value("quorate") }
        value("type") == "node" { printf "\"%s\":{\"online\":%d,\"ip\":\"%s\"},", value("name"), value("online"), value("ip") }')
    member_machine=" $(ssh-keyscan -T 5 "$1" 2>/dev/null) "
    judge_member "$2"
}

# print_fingerprint: of the certificate that this node's web interface shows. A node that
# is yet to join gets another one then.
print_fingerprint() {
    begin_call fingerprint
    if ! is_member; then
        printf '%s\n' {{ m("api.not_member", node=v("$node"), cluster=v("$cluster")) }} >&2
        exit 1
    fi
    own_certificate=/etc/pve/local/pveproxy-ssl.pem
    [ -s "$own_certificate" ] || own_certificate=/etc/pve/local/pve-ssl.pem
    if ! own_print=$(openssl x509 -noout -fingerprint -sha256 -in "$own_certificate" 2>/dev/null); then
        printf '%s\n' {{ m("api.no_own_certificate", path=v("$own_certificate")) }} >&2
        exit 1
    fi
    own_print=${own_print#*=}
    printf '# [[node]] %s\n' "$node"
    printf 'fingerprint = "%s"\n' "$own_print"
    printf '# %s\n' {{ m("api.option", fingerprint=v("$own_print")) }}
}
