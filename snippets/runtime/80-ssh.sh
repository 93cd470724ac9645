# ssh: what sshd and ssh make of their configuration, and root's way between nodes.

# sshd_accepts [FILE]: sshd can read this configuration, or its own as it is.
sshd_accepts() {
    sshd_said=$(run_sshd -t ${1:+-f "$1"} 2>&1) && return 0
    note "$sshd_said"
    return 1
}

# run_sshd OPTION...: by its whole path, which older ones insist on.
run_sshd() {
    "$(command -v sshd)" "$@"
}

# need_sshd_fine: a file that sshd does not take would be in force at its next start;
# it is mended before anything of ours goes in.
need_sshd_fine() {
    if [ "$phase" = want ] || [ -z "$step_differs" ]; then return 0; fi
    if sshd_said=$(run_sshd -t 2>&1); then
        need_met {{ m("ssh.fine") }}
    else
        need_failed {{ m("ssh.broken", path=v("$sshd_config")) }} "$sshd_said"
    fi
}

# expect_ticket ADDRESS NAME: the ticket passes from the other node to this one, and back.
expect_ticket() {
    expect {{ m("ssh.accepts", name=v("$2")) }} 5 \
        {{ m("ssh.accepts_do", name=v("$2"), address=v("$1")) }} \
        accepts_env LC_PVE_TICKET "$2" "$1"
    expect {{ m("ssh.sends", name=v("$2")) }} 0 \
        {{ m("ssh.sends_do") }} \
        sends_env LC_PVE_TICKET "$1"
}

# accepts_env NAME HOST ADDRESS: sshd takes the variable from root of that host, whatever
# Match blocks there are: the list in one of them replaces the one before them.
accepts_env() {
    env_from=$3
    # A node that only DNS knows has its name here.
    case $env_from in *[!0-9.]*) env_from=$(getent ahosts "$3" | awk 'NR == 1 { print $1 }') ;; *) ;; esac
    found=$(run_sshd -T -C "user=root,host=$2,addr=$env_from" 2>/dev/null |
        awk '$1 == "acceptenv" { for (i = 2; i <= NF; i++) print $i }')
    for accepted in $found; do
        # What sshd accepts are patterns.
        # shellcheck disable=SC2254
        case $1 in
            $accepted) return 0 ;;
            *) ;;
        esac
    done
    return 1
}

# sends_env NAME HOST: ssh to the host sends the variable. An ssh before 6.8 cannot
# tell (it has no -G): there our block at the top of its file has to do.
sends_env() {
    if ! ssh_said=$(ssh -G "root@$2" 2>/dev/null); then
        # One that knows -G finds fault with its files.
        ! ssh -G -F /dev/null "root@$2" >/dev/null 2>&1 || return 1
        is_first_in "$1" "$ssh_dir/ssh_config"
        return
    fi
    found=$(printf '%s\n' "$ssh_said" | awk '$1 == "sendenv" { for (i = 2; i <= NF; i++) print $i }')
    for sent in $found; do
        # shellcheck disable=SC2254
        case $1 in
            $sent) return 0 ;;
            *) ;;
        esac
    done
    return 1
}

# is_first_in NAME FILE: the variable is sent before any Host or Match block begins.
is_first_in() {
    awk -v name="$1" '
        tolower($1) == "host" || tolower($1) == "match" { exit }
        tolower($1) == "sendenv" { for (i = 2; i <= NF; i++) if ($i == name) found = 1 }
        END { exit !found }' "$2"
}

# root_login [FILE]: sshd's PermitRootLogin as it is in force, or by this configuration,
# in today's spelling.
root_login() {
    {
        # Up to OpenSSH 8.0 it says nothing without a connection where there is a Match block: one that none is meant for.
        run_sshd -T ${1:+-f "$1"} 2>/dev/null ||
            run_sshd -T -C 'user=-,host=-,addr=0.0.0.0,laddr=0.0.0.0,lport=1' ${1:+-f "$1"} 2>/dev/null
    } | awk '$1 == "permitrootlogin" { sub(/without-password/, "prohibit-password", $2); print $2 }'
}

# remember_root_login WORD: pvecm sets PermitRootLogin to yes; what it was before.
remember_root_login() {
    [ ! -e "$state_dir/root-login" ] || return 0
    open_store
    if ! { printf '%s\n' "$1" >"$state_dir/root-login.new" &&
        mv -f "$state_dir/root-login.new" "$state_dir/root-login"; }; then
        cannot_write "$state_dir/root-login"
    fi
}

# is_admitted: admit has root's login open, and its time is not over.
is_admitted() {
    [ -r "$state_dir/admitted" ] || return 1
    # "PROCESS.SECONDS", the seconds since 1970.
    read -r admitted_at <"$state_dir/admitted"
    admitted_at=${admitted_at##*.}
    [ "$(($(date +%s) - ${admitted_at:-0}))" -le "$((open_minutes * 60 + 60))" ]
}

# want_closed: what admit opened is open no longer than it was to be.
want_closed() {
    if is_admitted; then
        same {{ m("admit.open") }}
    elif [ -e "$state_dir/admitted" ] && differs {{ m("admit.late") }} {{ m("admit.close") }}; then
        admit_write close </dev/null
        rm -f "$state_dir/admitted"
        changed {{ m("admit.late") }} {{ m("admit.close") }}
    fi
}

# want_root_login POLICY FILE SPELLING: "keep" is what it is before pvecm; SPELLING is
# how this sshd calls "by key only". In place before pvecm runs, so that what pvecm
# writes never comes into force.
want_root_login() {
    root_policy=$1
    if [ "$1" = keep ]; then
        if [ -r "$state_dir/root-login" ]; then
            read -r root_policy <"$state_dir/root-login"
        else
            root_policy=$(root_login)
        fi
        case "$phase $root_policy" in
            'need ')
                need_failed {{ m("ssh.root_unknown") }} "$(run_sshd -t 2>&1)"
                return 0
                ;;
            'need no')
                need_failed {{ m("ssh.root_none", found=v("$root_policy")) }} {{ m("ssh.root_none_do") }}
                return 0
                ;;
            'want '*) [ "$call" != apply ] || remember_root_login "$root_policy" ;;
            *) ;;
        esac
    fi
    [ "$phase" = need ] || want_closed
    root_word=$root_policy
    [ "$root_policy" != prohibit-password ] || root_word=$3
    if [ "$1 $root_policy" = 'keep yes' ]; then
        want_no_block "$2" 'root login'
    else
        # Indented, for pvecm replaces lines that begin with PermitRootLogin; first in
        # the file, for sshd takes the first value that it meets.
        want_block "$2" 'root login' first <<END
 PermitRootLogin $root_word
END
    fi
}

# want_root_key: a key pair of root's, as pvecm itself makes one where there is none.
want_root_key() {
    if [ -s /root/.ssh/id_rsa ] && [ -s /root/.ssh/id_rsa.pub ]; then
        [ "$phase" = need ] || same /root/.ssh/id_rsa
    elif [ "$phase" = need ]; then
        [ ! -e /root/.ssh/id_rsa ] ||
            need_failed {{ m("ssh.half_key") }} {{ m("ssh.half_key_do") }}
    elif differs /root/.ssh/id_rsa {{ m("file.create") }}; then
        umask 077
        [ -d /root/.ssh ] || make_directory /root/.ssh
        umask 022
        # The public half is there before the private one: a run that is cut short
        # leaves either a whole pair or none.
        rm -f /root/.ssh/.id_rsa.pvegen /root/.ssh/.id_rsa.pvegen.pub
        if ! run ssh-keygen ssh-keygen -q -t rsa -b 4096 -N '' -C "root@$node" -f /root/.ssh/.id_rsa.pvegen ||
            ! flush /root/.ssh/.id_rsa.pvegen || ! keep_key ||
            ! mv -f /root/.ssh/.id_rsa.pvegen.pub /root/.ssh/id_rsa.pub ||
            ! mv -f /root/.ssh/.id_rsa.pvegen /root/.ssh/id_rsa; then
            rm -f /root/.ssh/.id_rsa.pvegen /root/.ssh/.id_rsa.pvegen.pub
            cannot_write /root/.ssh/id_rsa
        fi
        changed /root/.ssh/id_rsa {{ m("file.created") }}
    fi
}

# keep_key: the digests of the pair that is about to be put in place.
keep_key() {
    digest_of /root/.ssh/.id_rsa.pvegen.pub
    keep_first /root/.ssh/id_rsa.pub "$sum"
    digest_of /root/.ssh/.id_rsa.pvegen
    keep_first /root/.ssh/id_rsa "$sum"
}

# sshd_keeps_login [FILE]: sshd takes the file (its own without one), and it does not open
# root's login by password where it was not open first: pvecm may have written that.
sshd_keeps_login() {
    sshd_accepts "$@" || return 1
    if [ "$#" -eq 0 ] || [ ! -f "$state_dir/first$sshd_config" ] || [ "$(root_login "$1")" != yes ] ||
        [ "$(root_login "$state_dir/first$sshd_config")" = yes ] || [ "$(root_login "")" = yes ]; then
        return 0
    fi
    tell {{ m("rollback.login_opens") }}
    return 1
}

# want_authorized_keys <<END: root of the other nodes may come in. In a cluster the
# file is a link to the cluster's own, which pvecm keeps.
want_authorized_keys() {
    if [ -L /root/.ssh/authorized_keys ] && is_member; then
        [ "$phase" = need ] || same {{ m("ssh.cluster_keys") }}
    else
        want_block /root/.ssh/authorized_keys keys last
    fi
}

# print_keys: this node's public keys, as lines for its table in the description.
print_keys() {
    if [ ! -r /root/.ssh/id_rsa.pub ]; then
        printf '%s\n' {{ m("keys.none", again=v("$again")) }} >&2
        exit 1
    fi
    read -r key_type key_data _ </root/.ssh/id_rsa.pub
    printf '# [[node]] %s\n' "$node"
    printf 'ssh_user_key = "%s %s root@%s"\n' "$key_type" "$key_data" "$node"
    printf 'ssh_host_keys = [\n'
    for key_file in "$ssh_dir"/ssh_host_*_key.pub; do
        [ -r "$key_file" ] || continue
        read -r key_type key_data _ <"$key_file"
        case $key_type in
            ssh-rsa | ssh-ed25519 | ecdsa-sha2-nistp*) printf '    "%s %s",\n' "$key_type" "$key_data" ;;
            *) ;;
        esac
    done
    printf ']\n'
}

# ssh_to ADDRESS COMMAND...: as root by key alone, never asking. $ssh_options are words of ssh.
ssh_to() {
    ssh_address=$1
    shift
    # shellcheck disable=SC2086
    ssh -n ${ssh_options:-} -o BatchMode=yes -o ConnectTimeout="$limit_ssh" -o ServerAliveInterval=5 "root@$ssh_address" "$@" 8>&- 9>&-
}

reaches_root() {
    ssh_to "$1" true 2>/dev/null
}

# ask_root ADDRESS: one try to get in as root, by key alone; what came of it into
# $root_answer: in, out, other-key (the machine there shows another host key than ssh knows
# of it), or silent. From OpenSSH 9.8 on sshd shuts out for a while who has failed too often,
# or has only looked for its keys: so nothing is asked twice that one try answers.
ask_root() {
    root_answer=in
    ! ssh_said=$(ssh_to "$1" true 2>&1) || return 0
    case $ssh_said in
        *'HOST IDENTIFICATION HAS CHANGED'*) root_answer='other-key' ;;
        *'connect to host'* | *exchange_identification* | *'banner exchange'* | *'onnection closed by'* | *'onnection reset by'* | *'timed out'*)
            root_answer=silent
            ;;
        *) root_answer=out ;;
    esac
}

# only_keys_wanted: the one run that may go without the others' keys, for it makes
# the key that "keys" prints.
only_keys_wanted() {
    [ "$only" = trust ]
}

# root_login_as_wanted POLICY: sshd's answer for all whom no Match singles out; "keep"
# is what it was before pvecm, as the step root-login has written it down.
root_login_as_wanted() {
    root_policy=$1 found=''
    if [ "$1" = keep ]; then
        # Where that step was not applied there is nothing to keep.
        [ -r "$state_dir/root-login" ] || return 0
        read -r root_policy <"$state_dir/root-login"
    fi
    found=$(root_login)
    [ "$found" = "$root_policy" ]
}

# expect_root_reaches ADDRESS NAME: verify proves the way to every node that is up. From
# pve-cluster 8.0.6 on no join tells ssh the others' host keys: each node has a file of its
# own in /etc/pve, and PVE names it to ssh. Where it is there, so do we.
expect_root_reaches() {
    [ "$call $phase" = 'verify want' ] || return 0
    in_quorum
    member_entry "$2"
    case $entry in
        *'"online":1'*) ;;
        *)
            point ok {{ m("ssh.other_down", name=v("$2")) }} {{ m("ssh.skip_down") }}
            return 0
            ;;
    esac
    known_file=/etc/pve/nodes/$2/ssh_known_hosts
    [ ! -r "$known_file" ] || ssh_options=" -o HostKeyAlias=$2 -o UserKnownHostsFile=$known_file -o GlobalKnownHostsFile=none"
    expect {{ m("ssh.reaches", name=v("$2")) }} 0 \
        {{ m("ssh.reaches_do", address=v("$1"), options=v("${ssh_options:-}")) }} \
        reaches_root "$1"
    ssh_options=''
}
