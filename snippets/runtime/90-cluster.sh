# The cluster: what this node and its member know of it, and getting into it.

# look_member: name and members of the cluster that this node is in, if any, from
# pmxcfs or, while that is down, from corosync's own copy. A pmxcfs that is up without a
# cluster takes no notice of that copy, which a join that was broken off has left.
look_member() {
    [ "${member_looks:-}" != "$looks" ] || return 0
    member_looks=$looks member_cluster='' member_nodes='' member_file=''
    if [ -e /etc/pve/corosync.conf ]; then
        member_file=/etc/pve/corosync.conf
    elif ! pmxcfs_is_up && [ -e /etc/corosync/authkey ] && [ -e /etc/corosync/corosync.conf ]; then
        member_file=/etc/corosync/corosync.conf
    else
        return 0
    fi
    member_nodes=$(awk '
        $1 == "cluster_name:" { cluster = $2 }
        $1 == "nodelist" { inside = 1 }
        inside && $1 == "name:" { nodes = nodes " " $2 }
        END { print (nodes == "" ? "" : cluster) nodes }' "$member_file")
    member_cluster=${member_nodes%% *}
}

is_member() {
    look_member
    [ -n "$member_cluster" ]
}

# need_own_cluster create|join: a node that is in a cluster is in this one, under its
# own name. A key left by a create that was broken off is used by the next.
need_own_cluster() {
    [ "$phase" = need ] || return 0
    look_member
    if [ -z "$member_file" ]; then
        if [ "$1" = join ] && [ -e /etc/corosync/authkey ]; then
            need_failed {{ m("cluster.authkey") }} {{ m("cluster.authkey_do", node=v("$node")) }}
        else
            need_met {{ m("cluster.none") }}
        fi
    elif [ -z "$member_cluster" ]; then
        need_failed {{ m("cluster.stub", file=v("$member_file")) }} {{ m("cluster.stub_do") }}
    elif [ "$member_cluster" != "$cluster" ] && ! is_word "$node" "$member_nodes"; then
        need_failed {{ m("cluster.other", other=v("$member_cluster"), cluster=v("$cluster")) }} {{ m("cluster.other_left_do", other=v("$member_cluster"), node=v("$node")) }}
    elif [ "$member_cluster" != "$cluster" ]; then
        need_failed {{ m("cluster.other", other=v("$member_cluster"), cluster=v("$cluster")) }} {{ m("cluster.other_do") }}
    elif ! is_word "$node" "$member_nodes"; then
        need_failed {{ m("cluster.not_listed", node=v("$node"), cluster=v("$cluster")) }} {{ m("cluster.not_listed_do") }}
    else
        need_met {{ m("cluster.member", cluster=v("$cluster")) }}
    fi
}

# need_bare_mountpoint: while pmxcfs is down nothing lies in /etc/pve: pmxcfs would refuse
# to be mounted over it, or hide it.
need_bare_mountpoint() {
    if [ "$phase" = want ] || [ -e /etc/pve/.members ] || [ -L /etc/pve/local ]; then return 0; fi
    strays=''
    for stray in /etc/pve/* /etc/pve/.[!.]*; do
        if [ -e "$stray" ] || [ -L "$stray" ]; then strays="$strays $stray"; fi
    done
    [ -z "$strays" ] ||
        need_failed {{ m("cluster.strays", found=v("${strays# }")) }} {{ m("cluster.strays_do") }}
}

# need_own_address ADDRESS: corosync keeps a member's address; another one in the
# description would take the node out of its cluster.
need_own_address() {
    if [ "$phase" = want ] || [ ! -r /etc/pve/.members ]; then return 0; fi
    members=$(tr -d ' \t\n' </etc/pve/.members)
    member_entry "$node"
    case $entry in
        *'"ip":"'*) ;;
        *) return 0 ;;
    esac
    entry=${entry#*'"ip":"'}
    entry=${entry%%'"'*}
    if [ "$entry" = "$1" ]; then
        need_met {{ m("cluster.address", address=v("$1")) }}
    else
        need_failed {{ m("cluster.address_other", address=v("$entry"), wanted=v("$1")) }} {{ m("cluster.address_do") }}
    fi
}

# member_entry NODE: what $members says of a node, into $entry.
member_entry() {
    entry=''
    case $members in
        *'"'"$1"'":{'*)
            entry=${members#*'"'"$1"'":{'}
            entry=${entry%%'}'*}
            ;;
        *) ;;
    esac
}

# need_no_cluster: the description has this node alone.
need_no_cluster() {
    [ "$phase" = need ] || return 0
    if is_member; then
        need_failed {{ m("cluster.not_alone", cluster=v("$member_cluster")) }} {{ m("cluster.not_alone_do") }}
    elif [ -n "$member_file" ]; then
        need_failed {{ m("cluster.stub", file=v("$member_file")) }} {{ m("cluster.stub_do") }}
    else
        need_met {{ m("cluster.none") }}
    fi
}

# need_nothing_to_lose: joining throws away what /etc/pve holds on the joining node.
need_nothing_to_lose() {
    [ "$phase" = need ] || return 0
    ! is_member || return 0
    if find_valuables; then
        need_failed {{ m("cluster.valuables", found=v("$valuables")) }} {{ m("cluster.valuables_do") }}
    else
        need_met {{ m("cluster.nothing_to_lose") }}
    fi
}

# need_member ADDRESS NAME: before a join, the member answers and, where root gets
# in by key already, is fit to be joined. While the network here is yet to be
# brought up it cannot be asked; the join itself asks again.
need_member() {
    [ "$call $phase" = 'apply need' ] || return 0
    if is_member || [ -n "${holds_wrong:-}" ]; then return 0; fi
    within 2 answers_ssh "$1"
    case $root_answer-$trust in
        silent-*)
            need_failed {{ m("join.silent", member=v("$2")) }} {{ m("join.silent_do", member=v("$2")) }}
            ;;
        # A key that the description states may be put right by this very run.
        other-key-password)
            need_failed {{ m("join.host_key", member=v("$2")) }} {{ m("join.host_key_do", member=v("$2"), address=v("$1"), dir=v("$ssh_dir")) }}
            ;;
        in-*)
            if member_is_fit "$1" "$2"; then
                need_met {{ m("join.member_fine", member=v("$2")) }}
            else
                need_failed "$wrong" "$wrong_do"
            fi
            ;;
        *) need_met {{ m("join.answers", member=v("$2")) }} ;;
    esac
}

# answers_ssh ADDRESS: an sshd is there. One that was just told to read its configuration
# anew, by "admit", refuses for a moment: so it is asked more than once.
answers_ssh() {
    ask_root "$1"
    [ "$root_answer" != silent ]
}

# find_valuables: guests, storages, users and rules in /etc/pve, into $valuables.
find_valuables() {
    valuables=''
    for valuable in /etc/pve/nodes/*/qemu-server/*.conf /etc/pve/nodes/*/lxc/*.conf /etc/pve/nodes/*/openvz/*.conf \
        /etc/pve/nodes/*/host.fw /etc/pve/firewall/* /etc/pve/ha/*.cfg /etc/pve/sdn/*.cfg /etc/pve/mapping/*.cfg \
        /etc/pve/jobs.cfg /etc/pve/domains.cfg /etc/pve/replication.cfg /etc/pve/notifications.cfg \
        /etc/pve/nodes/*/config /etc/pve/nodes/*/pveproxy-ssl.* /etc/pve/priv/acme/* /etc/pve/priv/tfa.cfg \
        /etc/pve/ceph.conf /etc/pve/priv/ceph.* /etc/pve/priv/ceph/* /etc/pve/status.cfg /etc/pve/virtual-guest/*; do
        [ ! -s "$valuable" ] || valuables="$valuables $valuable"
    done
    # The installer writes the keyboard's line.
    if grep -q -s -v -E -e '^(keyboard:|#|[[:blank:]]*$)' /etc/pve/datacenter.cfg; then
        valuables="$valuables /etc/pve/datacenter.cfg"
    fi
    # It is there from the start, with comments and a PATH.
    if grep -q -s -E -e '^[^#[:blank:]=]+[[:blank:]].* root ' /etc/pve/vzdump.cron; then
        valuables="$valuables /etc/pve/vzdump.cron"
    fi
    if grep -s -E -e '^[a-z]+:' /etc/pve/storage.cfg 2>/dev/null | grep -q -v -E -e '^[a-z]+: *local(-lvm|-zfs|-btrfs)?$'; then
        valuables="$valuables /etc/pve/storage.cfg"
    fi
    if grep -s -E -e '^(user|group|role|acl|token|pool):' /etc/pve/user.cfg 2>/dev/null | grep -q -v -e '^user:root@pam:'; then
        valuables="$valuables /etc/pve/user.cfg"
    fi
    valuables=${valuables# }
    [ -n "$valuables" ]
}

# in_quorum: pmxcfs itself says that this node is in the cluster and may write.
in_quorum() {
    found='' members=''
    [ -r /etc/pve/.members ] || { found={{ m("cluster.no_pmxcfs") }}; return 1; }
    members=$(tr -d ' \t\n' </etc/pve/.members)
    found=$members
    case $members in
        *'"nodename":"'"$node"'"'*'"cluster":{"name":"'"$cluster"'"'*'"quorate":1'*'"'"$node"'":{'*) return 0 ;;
        *) return 1 ;;
    esac
}

# before_pvecm POLICY [ADDRESS]: pvecm lets root in by password, and takes down for good
# what the node's name resolves to. What the steps before see to has to be so, with
# --only and --from too.
before_pvecm() {
    if [ "$call $phase" != 'apply want' ] || is_member; then return 0; fi
    if { [ "$1" = keep ] && [ ! -r "$state_dir/root-login" ]; } || ! root_login_as_wanted "$1"; then
        stop {{ m("cluster.root_login_first") }} {{ m("cluster.steps_first_do", again=v("$again")) }}
    fi
    if ! resolves_to_own "$node" || { [ -n "${2:-}" ] && ! resolves "$node" "$2"; }; then
        stop {{ m("cluster.names_first", node=v("$node"), found=v("$found")) }} {{ m("cluster.steps_first_do", again=v("$again")) }}
    fi
}

# ask_others <<END: before the cluster is created, the other nodes ("ADDRESS NAME"),
# where they are up and can be asked, are not in it: a first node that was set up anew
# has to join.
ask_others() {
    if [ "$call $phase" != 'apply want' ] || is_member; then return 0; fi
    others=$(cat)
    answering=$(printf '%s\n' "$others" | awk '{ print $1 }' | ssh-keyscan -T "$limit_ssh" -f - 2>/dev/null | awk '{ print $1 }')
    while read -r other_address other_name; do
        case "$line_break$answering$line_break" in
            *"$line_break$other_address$line_break"*) ask_other "$other_address" "$other_name" ;;
            *) ;;
        esac
    done <<END
$others
END
}

ask_other() {
    # While its pmxcfs is down, corosync's own copy tells.
    if ! members=$(ssh_to "$1" 'cat /etc/pve/.members || cat /etc/corosync/corosync.conf; :' 2>/dev/null); then
        tell {{ m("create.silent", name=v("$2"), cluster=v("$cluster"), node=v("$node")) }}
        return 0
    fi
    members=$(printf '%s' "$members" | tr -d ' \t\n')
    if says_of_members '"cluster":{"name":"'"$cluster"'"' || says_of_members "cluster_name:$cluster"; then
        stop {{ m("create.exists", name=v("$2"), cluster=v("$cluster")) }} {{ m("create.exists_do", name=v("$2"), node=v("$node")) }}
    fi
    note {{ m("create.asked", name=v("$2"), cluster=v("$cluster")) }}
}

# create_cluster NAME [OPTION...]: pvecm's exit status and text are no proof: the state is.
create_cluster() {
    [ "$phase" = want ] || return 0
    if is_member; then
        same {{ m("cluster.member", cluster=v("$cluster")) }}
        return 0
    fi
    differs {{ m("cluster.name", cluster=v("$cluster")) }} {{ m("unit.to_run", command=v("pvecm create $*")) }} || return 0
    within "$limit_unit" pmxcfs_is_up || stop {{ m("cluster.no_pmxcfs") }} {{ m("unit.run_failed_do", unit="pve-cluster") }}
    run_undisturbed timeout -k 10 "$limit_join" pvecm create "$@"
    forget_looks
    changed {{ m("cluster.name", cluster=v("$cluster")) }} {{ m("unit.was_run", command=v("pvecm create $*")) }}
}

# has_corosync_files: corosync starts at the next boot, too.
has_corosync_files() {
    [ -s /etc/corosync/authkey ] || return 1
    # While a change is on its way they differ for a moment.
    cmp -s /etc/pve/corosync.conf /etc/corosync/corosync.conf ||
        { sleep 1 && cmp -s /etc/pve/corosync.conf /etc/corosync/corosync.conf; }
}

# has_coefficient MILLISECONDS: corosync.conf states it, within totem.
has_coefficient() {
    awk -v wanted="$1" '
        /^[ \t]*totem[ \t]*[{]/ { totem = 1 }
        totem && sub(/^[ \t]*token_coefficient[ \t]*:[ \t]*/, "") { found = $1 }
        /[{]/ { depth++ }
        /[}]/ { if (--depth == 0) totem = 0 }
        END { exit found != wanted "" }' /etc/pve/corosync.conf
}

pmxcfs_is_up() {
    [ -L /etc/pve/local ]
}

# pmxcfs_writes: /etc/pve is there and may be written to: PVE itself looks at the
# owner's bit of this link.
pmxcfs_writes() {
    [ -n "$(find /etc/pve/local -prune -type l -perm -200 2>/dev/null)" ]
}

# run_undisturbed COMMAND...: pvecm, broken off, leaves more to mend than it costs to
# wait for its end; the lock is its own as long as it runs.
run_undisturbed() {
    note {{ m("cluster.undisturbed") }}
    keeps_lock=yes
    trap '' HUP INT TERM
    run pvecm "$@"
    catch_signals
    keeps_lock=''
    return "$run_status"
}

# join_cluster ADDRESS MEMBER [OPTION...]: asks the member first, changes after.
join_cluster() {
    join_address=$1 join_member=$2
    shift 2
    join_begins "$@" || return 0
    within "$limit_ssh" answers_ssh "$join_address" ||
        stop {{ m("join.silent", member=v("$join_member")) }} {{ m("join.silent_do", member=v("$join_member")) }}
    [ "$root_answer" = in ] || ask_trust
    member_is_fit "$join_address" "$join_member" || stop "$wrong" "$wrong_do"
    note {{ m("join.member_fine", member=v("$join_member")) }}
    lock_join
    run_add timeout -k 10 "$limit_join" pvecm add "$join_address" "$@"
    join_ends member_is_fit "$@"
}

# join_begins [OPTION...]: this node is to join now, and can.
join_begins() {
    [ "$phase" = want ] || return 1
    if is_member; then
        same {{ m("cluster.member", cluster=v("$cluster")) }}
        return 1
    fi
    differs {{ m("cluster.name", cluster=v("$cluster")) }} {{ m("unit.to_run", command=v("pvecm add $join_address $*")) }} || return 1
    within "$limit_unit" pmxcfs_is_up || stop {{ m("cluster.no_pmxcfs") }} {{ m("unit.run_failed_do", unit="pve-cluster") }}
    ! find_valuables || stop {{ m("cluster.valuables", found=v("$valuables")) }} {{ m("cluster.valuables_do") }}
}

# run_add COMMAND...: pvecm add.
run_add() {
    # Where it is cut short, what it leaves undone is done by "pvecm updatecerts".
    on_change pvecm
    mark_pending
    on_change ''
    ! run_undisturbed "$@" || rm -f "$state_dir/pending/pvecm" || cannot_write "$state_dir"
    forget_looks
}

# join_ends FIT [OPTION...]: it is in the cluster, or FIT, which asks the member once more,
# or pvecm tells why not.
join_ends() {
    join_fit=$1
    shift
    # What is wrong now may be what a join leaves that was broken off half way.
    if ! within 5 is_member; then
        ! "$join_fit" "$join_address" "$join_member" || wrong={{ m("join.failed") }} wrong_do={{ m("join.failed_do") }}
        stop "$wrong" "$wrong_do"
    fi
    changed {{ m("cluster.name", cluster=v("$cluster")) }} {{ m("unit.was_run", command=v("pvecm add $join_address $*")) }}
}

# lock_join: two nodes that join at the same time hang both, whichever members they
# join through. So a directory in /etc/pve, which all members share, names the one
# that joins. One of our own was left by a run that was broken off; one that is
# older than a join can take holds nobody.
lock_join() {
    join_minutes=$(((limit_join + limit_quorum) / 60 + 1))
    join_holder=$(
        # The member's shell is to expand this.
        # shellcheck disable=SC2016
        ssh_to "$join_address" "node=$node minutes=$join_minutes"'
            cd /etc/pve/priv || exit 1
            ! grep -q "^[[:blank:]]*device[[:blank:]]*{" /etc/pve/corosync.conf || exit 3
            if ! mkdir pvegen-join 2>/dev/null; then
                [ -d pvegen-join ] || exit 1
                read -r holder <pvegen-join/node
                if [ "$holder" != "$node" ] && [ -z "$(find pvegen-join -prune -mmin "+$minutes")" ]; then
                    printf "%s\n" "${holder:-?}"
                    exit 2
                fi
            fi
            printf "%s\n" "$node" >pvegen-join/node' 2>/dev/null
    )
    case $? in
        0) undo=unlock_join ;;
        2)
            stop {{ m("join.locked", holder=v("$join_holder")) }} \
                {{ m("join.locked_do", member=v("$join_member"), minutes=v("$join_minutes")) }}
            ;;
        3) stop {{ m("join.qdevice", member=v("$join_member")) }} {{ m("join.qdevice_do", member=v("$join_member")) }} ;;
        255) stop {{ m("join.silent", member=v("$join_member")) }} {{ m("join.silent_do", member=v("$join_member")) }} ;;
        *) stop {{ m("join.no_quorum", member=v("$join_member")) }} {{ m("join.no_quorum_do", member=v("$join_member")) }} ;;
    esac
}

# unlock_join: what lock_join made, now or in a run that was broken off, goes; by hand
# of the member for as long as this node is not in the cluster.
unlock_join() {
    [ "$call $phase" = 'apply want' ] || return 0
    join_holder=''
    [ ! -r /etc/pve/priv/pvegen-join/node ] || read -r join_holder </etc/pve/priv/pvegen-join/node
    if [ "$join_holder" = "$node" ]; then
        rm -r /etc/pve/priv/pvegen-join
    elif [ -n "$undo" ]; then
        ssh_to "$join_address" 'rm -r /etc/pve/priv/pvegen-join' 2>/dev/null
    fi
    undo=''
}

# ask_trust: root's public key goes to the member; its password is asked for by ssh
# itself on the terminal, once.
ask_trust() {
    if [ "$root_answer" = other-key ]; then
        stop {{ m("join.host_key", member=v("$join_member")) }} {{ m("join.host_key_do", member=v("$join_member"), address=v("$join_address"), dir=v("$ssh_dir")) }}
    fi
    [ "$trust" = password ] || stop {{ m("join.no_trust", member=v("$join_member")) }} {{ m("join.no_trust_do", member=v("$join_member")) }}
    note {{ m("join.asks", member=v("$join_member")) }}
    # The member's shell is to expand this.
    # shellcheck disable=SC2016
    ssh -o ConnectTimeout="$limit_ssh" -o ServerAliveInterval=5 "root@$join_address" \
        'umask 077
        mkdir -p .ssh && key=$(cat) && cd .ssh || exit
        [ ! -s authorized_keys ] || [ -z "$(tail -c 1 authorized_keys)" ] || echo >>authorized_keys
        grep -q -s -F -x -e "$key" authorized_keys || printf "%s\n" "$key" >>authorized_keys' \
        </root/.ssh/id_rsa.pub 8>&- 9>&-
    case $? in
        # That it goes without the password now is seen; ssh itself has failed with 255.
        0) ask_root "$join_address" ;;
        255) ;;
        # Its authorized_keys are the cluster's, and cannot be written.
        *) stop {{ m("join.no_quorum", member=v("$join_member")) }} {{ m("join.no_quorum_do", member=v("$join_member")) }} ;;
    esac
    [ "$root_answer" = in ] ||
        stop {{ m("join.no_trust", member=v("$join_member")) }} {{ m("join.password_do", member=v("$join_member"), minutes=v("$open_minutes")) }}
}

# member_is_fit ADDRESS NAME: see judge_member; asked over ssh.
member_is_fit() {
    wrong={{ m("join.silent", member=v("$2")) }} wrong_do={{ m("join.silent_do", member=v("$2")) }}
    member_said=$(ssh_to "$1" "echo; date +pvegen:%s; pveversion; cat /etc/pve/.members 2>/dev/null; echo; echo pvegen-machine:
        cat /etc/machine-id $ssh_dir/ssh_host_*_key.pub 2>/dev/null; :" 2>/dev/null) ||
        return 1
    # Its lines with blanks around, to look for words in.
    member_machine=" ${member_said##*"$line_break"pvegen-machine:"$line_break"} "
    member_said=${member_said%"$line_break"pvegen-machine:*}
    clock_off=$(date +%s)
    # A login may greet before.
    member_said=${member_said##*"$line_break"pvegen:}
    clock_off=$((clock_off - ${member_said%%"$line_break"*}))
    member_said=${member_said#*"$line_break"}
    member_version=${member_said%%"$line_break"*}
    member_version=${member_version#pve-manager/}
    members=$(printf '%s' "${member_said#*"$line_break"}" | tr -d ' \t\n')
    judge_member "$2"
}

# judge_member NAME: the member is in the right cluster, quorate, with all its nodes there,
# of the same PVE series, its clock agrees, this node is not listed there yet, and is no
# copy of it. What is not so goes into $wrong, what to do into $wrong_do.
judge_member() {
    wrong='' wrong_do=''
    own_version=$(pveversion)
    own_version=${own_version#pve-manager/}
    if ! says_of_members '"cluster":{"name":"'"$cluster"'"'; then
        wrong={{ m("join.other_cluster", member=v("$1"), cluster=v("$cluster")) }}
        wrong_do={{ m("join.other_cluster_do", member=v("$1")) }}
    elif ! says_of_members '"quorate":1'; then
        wrong={{ m("join.no_quorum", member=v("$1")) }}
        wrong_do={{ m("join.no_quorum_do", member=v("$1")) }}
    elif says_of_members '"'"$node"'":{'; then
        member_entry "$node"
        case $entry in
            *'"online":1'*)
                wrong={{ m("join.listed_up", node=v("$node")) }}
                wrong_do={{ m("join.listed_up_do", node=v("$node"), member=v("$1")) }}
                ;;
            *)
                wrong={{ m("join.listed", node=v("$node")) }}
                wrong_do={{ m("join.listed_do", node=v("$node"), member=v("$1")) }}
                ;;
        esac
    elif [ -n "$own_address" ] && says_of_members '"ip":"'"$own_address"'"'; then
        wrong={{ m("join.address", address=v("$own_address")) }}
        wrong_do={{ m("join.address_do", member=v("$1")) }}
    elif says_of_members '"online":0'; then
        wrong={{ m("join.offline") }}
        wrong_do={{ m("join.offline_do") }}
    elif [ "${member_version%%.*}" != "${own_version%%.*}" ]; then
        wrong={{ m("join.versions", member=v("$1"), theirs=v("${member_version%%/*}"), ours=v("${own_version%%/*}")) }}
        wrong_do={{ m("join.versions_do") }}
    elif [ "${clock_off#-}" -gt "$limit_clock" ]; then
        wrong={{ m("join.clock", seconds=v("${clock_off#-}"), member=v("$1")) }}
        wrong_do={{ m("join.clock_do") }}
    elif has_its_id; then
        wrong={{ m("join.same_id", member=v("$1")) }}
        wrong_do={{ m("join.same_id_do") }}
    elif has_its_host_key; then
        wrong={{ m("join.same_key", member=v("$1"), path=v("$key_file")) }}
        wrong_do={{ m("join.same_key_do", dir=v("$ssh_dir"), unit=v("$sshd_unit")) }}
    fi
    [ -z "$wrong" ]
}

# has_its_id: this machine's id is the member's (in $member_machine): one of the two was
# copied from the other.
has_its_id() {
    machine_id=''
    [ ! -r /etc/machine-id ] || read -r machine_id </etc/machine-id
    # Before the first start it is empty or says so.
    case $machine_id in '' | *[!0-9a-f]*) return 1 ;; *) ;; esac
    case $member_machine in
        *"$machine_id"*) return 0 ;;
        *) return 1 ;;
    esac
}

# has_its_host_key: sshd here has a host key, in $key_file, that is the member's too.
has_its_host_key() {
    for key_file in "$ssh_dir"/ssh_host_*_key.pub; do
        key_data=''
        [ ! -r "$key_file" ] || read -r _ key_data _ <"$key_file"
        [ -n "$key_data" ] || continue
        case $member_machine in
            *" $key_data "* | *" $key_data$line_break"*) return 0 ;;
            *) ;;
        esac
    done
    return 1
}

# says_of_members TEXT: what .members says (in $members) has this in it.
says_of_members() {
    case $members in
        *"$1"*) return 0 ;;
        *) return 1 ;;
    esac
}

# want_no_stub: the example that the corosync package installs would be taken for a
# cluster's configuration when pve-cluster starts for the first time.
want_no_stub() {
    if [ ! -e /etc/corosync/corosync.conf ]; then
        if [ "$phase" = want ] && ! is_member; then same {{ m("stub.none") }}; fi
    elif is_member || [ -e /etc/corosync/authkey ]; then
        [ "$phase" = need ] || same {{ m("stub.member") }}
    elif ! is_stub; then
        [ "$phase" = want ] || need_failed {{ m("stub.not") }} {{ m("stub.not_do") }}
    else
        want_absent /etc/corosync/corosync.conf
    fi
}

# need_no_example: where the package is believed to bring none, none is there that
# pve-cluster would take over when it makes its database.
need_no_example() {
    if [ "$phase" = need ] && [ -e /etc/corosync/corosync.conf ] && [ ! -e /etc/corosync/authkey ] &&
        [ ! -e /var/lib/pve-cluster/config.db ] && ! is_member; then
        need_failed {{ m("stub.taken") }} {{ m("stub.not_do") }}
    fi
}

# is_stub: it belongs to a package, lists no nodes, and no line of it differs from
# what the package has.
is_stub() {
    ask_rpm -q -f /etc/corosync/corosync.conf >/dev/null 2>&1 || return 1
    if awk '/^[ \t]*#/ { next } $1 == "nodelist" { found = 1 } END { exit !found }' /etc/corosync/corosync.conf; then
        return 1
    fi
    ! ask_rpm -V --nodeps -f /etc/corosync/corosync.conf 2>/dev/null |
        grep -q -E -e '^..5.* /etc/corosync/corosync.conf$'
}

# want_certificate: pveproxy makes the node's own when it starts, and has made none
# where /etc/pve was not up then; it goes on running without, and answers nobody.
want_certificate() {
    if [ "$phase" = need ] || ! pmxcfs_is_up; then
        return 0
    elif [ -s /etc/pve/local/pve-ssl.pem ]; then
        same /etc/pve/local/pve-ssl.pem
    elif differs /etc/pve/local/pve-ssl.pem {{ m("file.create") }}; then
        keep_state pveproxy
        if ! run pvecm pvecm updatecerts || ! run pveproxy systemctl restart pveproxy; then
            stop {{ m("manager.certificate") }} {{ m("manager.api_do") }}
        fi
        changed /etc/pve/local/pve-ssl.pem {{ m("file.created") }}
    fi
}

# api_answers ADDRESS: the web interface's version call answers; without a ticket
# "401" is its answer.
api_answers() {
    found=$(printf 'GET /api2/json/version HTTP/1.0\r\n\r\n' |
        timeout 10 openssl s_client -quiet -connect "$1:8006" 2>/dev/null | awk 'NR == 1 { print $2 }')
    case $found in
        200 | 401) return 0 ;;
        *) return 1 ;;
    esac
}
