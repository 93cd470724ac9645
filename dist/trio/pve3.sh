#!/bin/sh
digest='29c2e1557e05c4051b202f3e2a0bd5a9a29fd3d8dc3878f47fb3503949b87d57'
# That is the SHA-256 of all lines but its own (sed 2d FILE | sha256sum): of a
# copy that was damaged, or edited by hand, nothing is done.
# In a copy with Windows line ends this variable is not empty.
eol=''
[ -z "$eol" ] || { printf '%s\n' 'This copy has CRLF line ends (Windows): copy it again as a binary file, or run: tr -d '\''\r'\'' <copy >script' >&2; exit 78; } #
# Where a quote before this is damaged, what is a string here is a command.
# The same stands once more after the check.
: '
echo This copy is damaged: copy it again. >&2; exit 78
'
: "
echo This copy is damaged: copy it again. >&2; exit 78
"
set -u
# bash takes functions from its environment; none of them is to stand for a
# command.
case ${BASH_VERSION:-} in
    '') ;;
    *) eval 'for name in $(declare -F); do case $name in declare | -*) ;; *) unset -f "$name" ;; esac; done' ;;
esac
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset POSIXLY_CORRECT
# The file that this shell reads; a pipe cannot be read twice. The messages go
# out by the name of standard error, since one bit that is wrong in the usual
# way would name a file to write.
case $- in
    *[s]*) copy=/proc/self/fd/0 ;;
    *) copy=$0 ;;
esac
copy_digest=''
if [ -f "$copy" ]; then
    copy_digest=$(sed 2d -- "$copy" | sha256sum)
    copy_digest=${copy_digest%% *}
    [ "$copy_digest" = "$digest" ] || { printf '%s\n' "This copy is damaged: its digest is ${copy_digest:-?}, and the one that was built has $digest. Copy it again. If it was edited by hand: edit the description or the snippets instead, and build anew." 1>>/proc/self/fd/2; exit 78; }
elif [ ! -e "$copy" ]; then
    printf '%s\n' "$copy is not there to be checked: run the script by its path, as in: sh ./pve3.sh" 1>>/proc/self/fd/2
    exit 78
fi
: '
echo This copy is damaged: copy it again. >&2; exit 78
'
: "
echo This copy is damaged: copy it again. >&2; exit 78
"

# Node pve3 of the Proxmox VE cluster trio: ALT p11, Proxmox VE 8.4 and 9,
# corosync 3, ifupdown2.
#
# Run as root on the node itself:
#   sh pve3.sh check    show what would change, write nothing; the default
#   sh pve3.sh apply    make the changes; safe to repeat and to interrupt
#   sh pve3.sh verify   see whether the node is as described and healthy
#   sh pve3.sh confirm  keep the network that apply --confirm manual is trying
#   sh pve3.sh rollback put back what apply changed, as it was found first
#   sh pve3.sh keys     print this node's public keys for the description
#   sh pve3.sh steps    list the steps
#   sh pve3.sh help     show this
#   --only STEP   this step alone
#   --from STEP   this step and those after it
#   --quiet       say only what is not as described
#   --receipt FILE   put the receipt of this run there (check leaves one only
#                    so)
#   --overwrite   replace our files that were changed by hand, and files with
#                 hard links, and let go of addresses and routes that are not
#                 described
#   --confirm-within SECONDS   how long a new network may take to be proved
#                              (180)
#   --confirm manual           the new network is kept by your call of confirm
#   --activate reboot          the new network comes with the next boot
#
# This node joins through pve2: its script is applied after that node's, one
# node at a time.
#
# Made by pvegen 0.1.0 from a description of the cluster. Change the
# description and build again rather than edit this file. Read it from here
# down: the node's own steps come first, then the runtime that carries them
# out.
#
# In the steps, need_... is a requirement: all are looked at before anything
# is changed. want_... is a state: check shows the difference, apply makes it
# so, verify fails where it is not. expect and holds are seen by their effect.
# on_change and settle name who is told of a change.

node='pve3'
cluster='trio'
target='alt-p11'
packages_by='rpm'
pvegen_version='0.1.0'
other_nodes='pve1=10.20.0.11 pve2=10.20.0.12'
trust='password'
open_minutes=10
ssh_dir='/etc/openssh'
sshd_config=$ssh_dir/sshd_config
sshd_unit='sshd'

# Units that the steps look at: asked for all at once.
unit_names='NetworkManager systemd-networkd network chronyd ntpd systemd-timesyncd networking ifupdown2.networking rrdcached ksmtuned crond lxcfs rpcbind lxc lxc-net lxc-monitord pve-cluster pvedaemon pveproxy pvestatd pvescheduler spiceproxy pve-firewall pvefw-logger pve-ha-lrm pve-ha-crm qmeventd pve-lxc-syscalld pve-guests sshd corosync'

# Waits and limits, in seconds.
limit_unit=60
limit_network=60
limit_quorum=120
limit_join=600
limit_api=90
limit_ssh=10
limit_clock=30

# The right host with the right system on it. Only looks: nothing is changed
# unless all of this, and what the other steps need, is so.
step_host() {
    need_root
    need_host
    need_writable /etc /root /var/lib /var/log
    need_space /etc /root /var/lib /var/log
    need_release /etc/altlinux-release 'ALT *'
    need_series '8 9' \
        /etc/altlinux-release:4:alt-p8 /etc/altlinux-release:5:alt-p8-pve5 /etc/altlinux-release:6:alt-p9 /etc/altlinux-release:7:alt-p10 /etc/altlinux-release:8:alt-p11 /etc/altlinux-release:9:alt-p11 /etc/debian_version:6:pve-6 /etc/debian_version:7:pve-7 /etc/debian_version:8:pve-8 /etc/debian_version:9:pve-9
    need_packages pve-manager pve-cluster ifupdown2 openssh-server openssh-clients
    need_commands awk cat chmod cmp cp cut date df diff find grep id ln mkdir mv ping readlink rm rmdir sed sha256sum sleep stat sync tail tr uname \
        pvecm pveversion systemctl ip ifreload ssh sshd ssh-keygen ssh-keyscan rpm getent openssl timeout
    need_no_rival NetworkManager systemd-networkd network
}

# Time. Certificates and tickets are valid from and until: nodes whose clocks
# differ do not trust one another. Two time services would pull one clock in
# two directions, so just one is on.
step_time() {
    need_clock 1730419200 # 2024-11-01
    need 'the system knows the time zone Europe/Moscow' 'Install the package tzdata.' test -f /usr/share/zoneinfo/Europe/Moscow
    want_link /etc/localtime /usr/share/zoneinfo/Europe/Moscow
    want_setting /etc/sysconfig/clock ZONE Europe/Moscow
    pick_time_service chronyd ntpd systemd-timesyncd
    on_change "$time_service"
    case $time_service in
        chronyd)
            need '/etc/chrony.conf is there' 'Another package of the same time service reads another file: install the one that this system comes with, or leave [time] servers out and set them by hand.' test -f /etc/chrony.conf
            want_block /etc/chrony.conf 'time servers' last <<'END'
server ntp1.example.org iburst
server ntp2.example.org iburst
END
            ;;
        ntpd)
            need '/etc/ntpd.conf is there' 'Another package of the same time service reads another file: install the one that this system comes with, or leave [time] servers out and set them by hand.' test -f /etc/ntpd.conf
            want_block /etc/ntpd.conf 'time servers' last <<'END'
server ntp1.example.org
server ntp2.example.org
END
            ;;
        *) need "the servers of $time_service are not set by this script" 'Set them by hand and leave [time] servers out of the description.' false ;;
    esac
    want_no_other_time_service ''
    if [ -n "$time_service" ]; then
        want_units required run "$time_service"
        settle "$time_service" systemctl restart "$time_service"
    fi
}

# The bridge that guests are plugged into. The node's own address is on the
# bridge, and the NIC is its port without address. /etc/network/interfaces has
# it all; our stanzas take the place of those for the same interfaces, all
# others stay. The network is switched under a timer: unless the node itself
# proves the new one, the old one comes back.
# What the switch of the network has to know.
network_manager=ifupdown2
network_bridges='vmbr0'
network_made='vmbr0 bond0'
network_interfaces='vmbr0 bond0 eno2 eno1 eno3'
network_peers='10.20.0.11 10.20.0.12'
network_keeps=''

network_state() {
    holds 'eno3 is up' is_up eno3
    holds 'eno3 has MTU 9000' has_mtu eno3 9000
    holds 'eno3 has 10.30.0.13/24' has_address eno3 10.30.0.13/24
    holds 'eno1 is up' is_up eno1
    holds 'eno1 is one of the NICs of bond0' is_bonded eno1 bond0
    holds 'eno1 has no address of its own' has_only_link_local eno1
    holds 'eno2 is up' is_up eno2
    holds 'eno2 is one of the NICs of bond0' is_bonded eno2 bond0
    holds 'eno2 has no address of its own' has_only_link_local eno2
    holds 'bond0 is up' is_up bond0
    holds 'bond0 is a port of vmbr0' is_port_of bond0 vmbr0
    holds 'bond0 has no address of its own' has_only_link_local bond0
    holds 'bond0 has the mode 802.3ad' has_bond_mode bond0 802.3ad
    holds 'vmbr0 is up' is_up vmbr0
    holds 'vmbr0 has forward delay 0' has_delay vmbr0 0
    holds 'vmbr0 is VLAN-aware' is_vlan_aware vmbr0
    holds 'vmbr0 has 10.20.0.13/24' has_address vmbr0 10.20.0.13/24
    holds 'the default route is via 10.20.0.1 on vmbr0' has_route 10.20.0.1 vmbr0
}

# What proves it, beside the answers of those who answered before.
network_proof() {
    network_state
    holds 'vmbr0 has a carrier' has_carrier vmbr0
    # Without that nobody could answer.
    [ -z "$holds_wrong" ] || return 0
    holds 'gateway 10.20.0.1 answers' answers 10.20.0.1
}

network_files() {
    want_interfaces /etc/network/interfaces 'eno3 eno1 eno2 bond0 vmbr0' 'vmbr0 bond0' <<'END'
auto eno3
iface eno3 inet static
	address 10.30.0.13/24
	mtu 9000

iface eno1 inet manual

iface eno2 inet manual

auto bond0
iface bond0 inet manual
	bond-slaves eno1 eno2
	bond-miimon 100
	bond-mode 802.3ad
	bond-xmit-hash-policy layer3+4

auto vmbr0
iface vmbr0 inet static
	address 10.20.0.13/24
	gateway 10.20.0.1
	bridge-ports bond0
	bridge-stp off
	bridge-fd 0
	bridge-vlan-aware yes
	bridge-vids 10 20-29
	dns-nameservers 10.20.0.1 2001:db8:20::1
	dns-search example.org
END
}

step_bridge() {
    need_interface eno3 'bond0 vmbr0'
    need_interface eno1 'bond0 vmbr0'
    need_interface eno2 'bond0 vmbr0'
    need_no_stanza_elsewhere eno3 eno1 eno2 bond0 vmbr0
    need 'the name servers of the description come into /etc/resolv.conf' 'Without resolvconf nothing carries dns-nameservers from /etc/network/interfaces into /etc/resolv.conf. Install it (apt-get install resolvconf), or write the name servers into /etc/resolv.conf by hand; then start again.' takes_nameservers 10.20.0.1 2001:db8:20::1
    need 'no change of the web interface waits in /etc/network/interfaces.new' 'It would replace our file at the next boot. Apply or discard it in the web interface (the node, Network).' test ! -e /etc/network/interfaces.new
    need_free bond0 'bond0 vmbr0'
    on_change network
    switch_network
    expect 'gateway 10.20.0.1 answers' "$limit_network" \
        'Is the cable in the right port, the VLAN right, the gateway up? See: ip neigh; bridge link' \
        answers 10.20.0.1
    expect 'name server 10.20.0.1 is in /etc/resolv.conf' "$limit_network" \
        'Who writes /etc/resolv.conf? See: ls -l /etc/resolv.conf; resolvconf -l' \
        uses_nameserver 10.20.0.1
    expect 'name server 2001:db8:20::1 is in /etc/resolv.conf' "$limit_network" \
        'Who writes /etc/resolv.conf? See: ls -l /etc/resolv.conf; resolvconf -l' \
        uses_nameserver 2001:db8:20::1
    want_one_at_boot networking ifupdown2.networking
}

# Names. Every node has to know every node's name, forward and back, one to
# one. pmxcfs does not start where the node's own name is an address of the
# loopback, and lines that say so are put right.
step_names() {
    want_hosts 'pve1 pve1.example.org pve2 pve2.example.org pve3 pve3.example.org' <<'END'
10.20.0.11 pve1.example.org pve1
10.20.0.12 pve2.example.org pve2
10.20.0.13 pve3.example.org pve3
END
    expect_names <<'END'
10.20.0.11 pve1.example.org pve1
10.20.0.12 pve2.example.org pve2
10.20.0.13 pve3.example.org pve3
END
    expect 'pve3 is an address of this node' 5 \
        'See: getent ahosts pve3; ip addr. Is the network up as described?' \
        resolves_to_own pve3
}

# PVE hands the ticket for a guest's console to another node as the variable
# LC_PVE_TICKET through ssh; without it the console of a guest on another node
# stays black. The lines come first in their files: after a Match or Host
# block they would hold for that block only.
step_ssh() {
    on_change sshd
    check_with=sshd_accepts
    want_block /etc/openssh/sshd_config environment first <<'END'
AcceptEnv LC_PVE_TICKET
END
    need_sshd_fine
    settle sshd systemctl reload-or-restart sshd
    check_with=''
    on_change ''
    want_block /etc/openssh/ssh_config environment first <<'END'
SendEnv LC_PVE_TICKET
END
    want_units required run sshd
    expect_ticket 10.20.0.11 pve1
    expect_ticket 10.20.0.12 pve2
}

# PVE's nodes run commands on one another as root through ssh. Once the node
# is in the cluster, pvecm keeps the keys; before that the joining node has to
# get into its member.
step_trust() {
    want_root_key
    want_no_block /root/.ssh/known_hosts keys
}

# Services that PVE stands on, enabled and running; one that this system does
# not have is passed over. pve-cluster brings up /etc/pve; corosync is started
# by pvecm, when it has a configuration, and enabled after that.
step_services() {
    need_bare_mountpoint
    need_no_example
    want_units present run rrdcached ksmtuned crond lxcfs rpcbind lxc lxc-net lxc-monitord
    want_units required run pve-cluster
}

# pvecm sets PermitRootLogin to yes without a word. What is there now, or what
# the description says, is put in front of it before pvecm runs; nodes come in
# by key.
step_root_login() {
    on_change sshd
    check_with=sshd_accepts
    want_root_login prohibit-password /etc/openssh/sshd_config prohibit-password
    need_sshd_fine
    settle sshd systemctl reload-or-restart sshd
    check_with=''
    expect 'PermitRootLogin is as described' 5 \
        'See: sshd -T | grep -i permitrootlogin' \
        root_login_as_wanted prohibit-password
}

# This node joins the cluster through one of its members. What /etc/pve holds
# here is replaced by the cluster's, so there must be nothing of value in it.
# The member is asked first; one node joins at a time. pvecm exits with 0 even
# when it fails: what counts is what pmxcfs says.
step_join() {
    need_own_cluster join
    need_own_address 10.20.0.13
    own_address='10.20.0.13'
    need_nothing_to_lose
    need_member 10.20.0.12 pve2
    before_pvecm prohibit-password 10.20.0.13
    join_cluster 10.20.0.12 pve2 --use_ssh 1 --link0 10.20.0.13 --link1 10.30.0.13
    if is_member; then want_units present run corosync; fi
    expect 'pve3 is in cluster trio, quorate, and may write to /etc/pve' "$limit_quorum" \
        'See: pvecm status; cat /etc/pve/.members; journalctl -b -u corosync -u pve-cluster. Are udp ports 5405-5412 open between the nodes, clocks and MTU alike? If this node was being added and its member waits for it without quorum, on the member: pvecm expected 1, then apply here again. If the others no longer list pve3 (on one of them: pvecm nodes), it was taken out while it was down: back up what guests it still has, then clean it, here: systemctl stop pve-cluster corosync; mkdir -p /root/removed; mv --backup=numbered /var/lib/pve-cluster/config.db* /root/removed/; rm -rf /etc/corosync/authkey /etc/corosync/corosync.conf; systemctl start pve-cluster; and apply again: it joins as a new node. All that /etc/pve held is gone with that: guests of the old cluster must not start here too.' \
        in_quorum
    expect 'corosync has its key and the cluster'\''s configuration' 5 \
        'See: ls -l /etc/corosync; diff /etc/pve/corosync.conf /etc/corosync/corosync.conf. pve-cluster writes the configuration when it starts (systemctl restart pve-cluster) if config_version in /etc/pve/corosync.conf is the higher one; the key is the same on every member (/etc/corosync/authkey).' \
        has_corosync_files
    unlock_join
    settle pvecm pvecm updatecerts
    expect 'PermitRootLogin is as described' 5 \
        'See: sshd -T | grep -i permitrootlogin' \
        root_login_as_wanted prohibit-password
}

# The web interface and what belongs to it, enabled and running; the unit that
# starts guests at boot is only enabled where PVE refuses to start it by hand.
step_manager() {
    want_certificate
    want_units present run pvedaemon pveproxy pvestatd pvescheduler spiceproxy pve-firewall pvefw-logger pve-ha-lrm pve-ha-crm qmeventd pve-lxc-syscalld
    want_units present run pve-guests
    expect 'the API answers on https://10.20.0.13:8006' "$limit_api" \
        'See: systemctl status pveproxy pvedaemon; journalctl -b -u pveproxy; ss -tln sport = 8006' \
        api_answers 10.20.0.13
    expect_root_reaches 10.20.0.11 pve1
    expect_root_reaches 10.20.0.12 pve2
}

# The steps, in order.
step_names='host time bridge names ssh trust services root-login join manager'

each_step() {
    if step host 'the right host, with the right system'; then step_host; fi
    if step time 'time zone Europe/Moscow and one time service'; then step_time; fi
    if step bridge 'Ethernet bridge vmbr0 over bond0'; then step_bridge; fi
    if step names 'names of all nodes'; then step_names; fi
    if step ssh 'LC_PVE_TICKET passes through ssh'; then step_ssh; fi
    if step trust 'root'\''s way between the nodes'; then step_trust; fi
    if step services 'services that PVE stands on'; then step_services; fi
    if step root-login 'root'\''s login through ssh'; then step_root_login; fi
    if step join 'this node joins trio through pve2'; then step_join; fi
    if step manager 'web interface and its services'; then step_manager; fi
}

usage() {
    cat <<'END'
Run as root on the node itself:
  sh pve3.sh check    show what would change, write nothing; the default
  sh pve3.sh apply    make the changes; safe to repeat and to interrupt
  sh pve3.sh verify   see whether the node is as described and healthy
  sh pve3.sh confirm  keep the network that apply --confirm manual is trying
  sh pve3.sh rollback put back what apply changed, as it was found first
  sh pve3.sh keys     print this node's public keys for the description
  sh pve3.sh steps    list the steps
  sh pve3.sh help     show this
  --only STEP   this step alone
  --from STEP   this step and those after it
  --quiet       say only what is not as described
  --receipt FILE   put the receipt of this run there (check leaves one only so)
  --overwrite   replace our files that were changed by hand, and files with hard links, and let go of addresses and routes that are not described
  --confirm-within SECONDS   how long a new network may take to be proved (180)
  --confirm manual           the new network is kept by your call of confirm
  --activate reboot          the new network comes with the next boot
END
}

# Calls beside check, apply and verify.
other_call() {
    case $call in
        keys) print_keys ;;
        *) ;;
    esac
}

# What to do next, said at the end of apply.
after_apply() {
    remark "See whether all is well: sh $again verify"
}

# ---------------------------------------------------------------------------
# The runtime: the same in every script. What the steps above say is done here.
# ---------------------------------------------------------------------------

# The call, its options, and the two passes: first what the steps need, with
# nothing touched; then what they want.
main() {
    # The check again, for damage in the lines that make it.
    [ "${copy_digest:-}" = "$digest" ] || { [ -e "$copy" ] && [ ! -f "$copy" ]; } || { printf '%s\n' 'This copy is damaged: the check of its digest was not run. Copy it again.' >&2; exit 78; }
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
    [ "$works" = yes ] || { printf '%s\n' 'this shell cannot keep a here-document: is there room under /run, /dev/shm and /tmp? Nothing was done.' >&2; exit 78; }
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
        *) other_call ;;
    esac
}

read_call() {
    while [ "$#" -gt 0 ]; do
        case $1 in
            check | apply | verify | rollback | confirm | steps | help | keys | network-try | network-back | network-boot | network-prove | network-settle)
                [ -z "$call" ] || wrong_call "two calls at once: $call and $1"
                call=$1
                ;;
            --only | --from)
                [ "$#" -ge 2 ] || wrong_call "$1 takes the name of a step"
                case $2 in *' '*) false ;; *) is_word "$2" "$step_names" ;; esac || wrong_call "there is no step $2; the steps are: $step_names"
                [ -z "$only$from" ] || wrong_call '--only and --from take one step, and only one of the two is given'
                if [ "$1" = --only ]; then only=$2; else from=$2; fi
                shift
                ;;
            --confirm-within)
                case ${2:-} in
                    '' | *[!0-9]* | 0* | ??????*) wrong_call "$1 takes a number of seconds" ;;
                    *) confirm_within=$2 ;;
                esac
                shift
                ;;
            --confirm)
                [ "${2:-}" = manual ] || wrong_call "$1 takes only: manual"
                confirm=$2
                shift
                ;;
            --activate)
                [ "${2:-}" = reboot ] || wrong_call "$1 takes only: reboot"
                activate=$2
                shift
                ;;
            --receipt)
                case ${2:-} in
                    '' | -* | */ | */.. | . | ..) wrong_call '--receipt takes the name of a file, such as /root/pve1.receipt' ;;
                    /*) receipt_file=$2 ;;
                    *) receipt_file=$PWD/$2 ;;
                esac
                shift
                ;;
            --quiet) quiet=yes ;;
            --overwrite) overwrite=yes ;;
            -h | --help) help=yes ;;
            *) wrong_call "unknown call or option: $1" ;;
        esac
        shift
    done
    call=${call:-check}
    [ -z "$help" ] || call=help
    case $call in
        apply | help) ;;
        rollback) [ -z "$from$overwrite$activate$receipt_file" ] || wrong_call 'rollback takes --only, --quiet, --confirm-within and --confirm' ;;
        *) [ -z "$confirm_within$confirm$activate" ] || wrong_call '--confirm-within and --confirm are for apply and rollback, --activate for apply' ;;
    esac
    confirm_within=${confirm_within:-180} confirm=${confirm:-proof} activate=${activate:-now}
    case $call in
        check | apply | verify | rollback | help) ;;
        *) [ -z "$only$from$quiet$overwrite$receipt_file" ] || wrong_call "$call takes no options" ;;
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
        is_root || refuse 'run as root'
        right_host || refuse "$other_host"
        take_lock
        catch_signals
        receipt_begin
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
        roll_back
    fi
    subtest requirements
    each_step
    subtest_end 'requirements'
    if [ "$bad" -gt 0 ] && [ "$call" != verify ]; then
        out "1..$top"
        refuse "requirements that fail: $bad; nothing was changed"
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
    is_root || { printf '%s\n' 'run as root' >&2; exit 78; }
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
                remark "Changes that wait: $changes; nothing was changed. \"apply\" makes them."
                leave_receipt 2
                exit 2
            fi
            remark 'Nothing to do: the node is as described.'
            ;;
        apply)
            if [ "$bad" -gt 0 ]; then
                remark "Not as described: $bad; see \"not ok\" above."
                leave_receipt 1
                exit 1
            fi
            remark "Done. Changes: $changes."
            leave_receipt 0
            after_apply
            ;;
        *)
            if [ "$bad" -gt 0 ]; then
                remark "Not as described: $bad; see \"not ok\" above."
                leave_receipt 1
                exit 1
            fi
            remark 'The node is as described and healthy.'
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
    bail "stopped in step $step: $1"
    remark "What was done up to here stays; nothing else was begun. Mend the cause, then run again: sh $again $call"
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
        check | verify) bail "interrupted in $step; nothing was changed" ;;
        *) bail "interrupted in step $step; no file is half written; $call goes on from there" ;;
    esac
    leave_receipt "$1" quick
    exit "$1"
}

# take_lock [wait]: one run at a time; "wait" waits for the end of another.
take_lock() {
    # Its own: another user's lock on it would hold us up.
    own_directories /run/pvegen || refuse 'cannot make a lock under /run/pvegen'
    refuse_planted /run/pvegen/lock
    true >>/run/pvegen/lock || refuse 'cannot make a lock under /run/pvegen'
    until try_lock; do
        [ "${1:-}" = wait ] || refuse 'another run of a pvegen script is under way on this node; wait for it to end'
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
    printf '%s %s %s\n' "$$" "$start_time" "$boot_id" >"/run/pvegen/new.$$" || refuse 'cannot make a lock under /run/pvegen'
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
    [ -z "$planted" ] || refuse "$planted under /run, /var/log or /var/lib is no directory of root's alone: somebody else made it. See what it is, and move it away."
    chmod 700 "$@"
}

# refuse_planted PATH: a link or a pipe stands where we write into a file.
refuse_planted() {
    if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then
        refuse "$1 is not a plain file"
    fi
}

# check_of FILE-OR-UNIT: what has to accept it before it is put back, into $check_with.
check_of() {
    check_with=''
    case $1 in
        "$sshd_config" | "$sshd_unit") check_with=sshd_keeps_login ;;
        *) ;;
    esac
}

open_log() {
    own_directories /var/log/pvegen || refuse 'cannot write the log under /var/log/pvegen'
    refuse_planted "/var/log/pvegen/$cluster.log"
    true >>"/var/log/pvegen/$cluster.log" || refuse 'cannot write the log under /var/log/pvegen'
    own_directories /var/lib/pvegen || refuse 'cannot make /var/lib/pvegen, where what stands here first is to be kept'
    exec 8>>"/var/log/pvegen/$cluster.log"
    log=yes
    run_began=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')
    printf '\n# %s %s %s\n' "${run_began#* }" "$node" "$call${overwrite:+ --overwrite}" >&8
    # For the next run, which sees by it that the clock was set back.
    printf '%s\n' "$run_began" >"/var/log/pvegen/$cluster.last"
}

# Output: TAP version 14, the same for people and for tools, and into the log.

tap_begin() {
    out 'TAP version 14'
    remark "$call: node $node of cluster $cluster"
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
        out "not ok $top - $1 # TODO" "to change: $points_todo"
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
    [ "$run_status" -eq 0 ] || note "$run_what: exit status $run_status"
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
        end_part_way "not so after $expect_within s: $expect_what"
}

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
        refuse "no receipt can be put at $receipt_file: its directory has to be there and be root's alone to write to, and no link may stand there. Nothing was changed. Name another, such as /root/pve.receipt"
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
        remark "No receipt: $receipt_path could not be written. The run itself is as said above."
    elif [ -z "$quiet" ] || [ -n "$receipt_file" ]; then
        remark "Receipt: $receipt_path, digest $receipt_sum"
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

# Files: what is wanted is compared, shown, and put in place whole; what stood
# there first is kept in the store.

# want_edited PATH FILTER [ARGUMENT...] <<END: the file is as the filter makes it
# of what it is now and of the lines given. "FILTER ... test PATH" says by its
# exit status whether that is so (1: no; 5: no, and what it prints would be lost),
# "FILTER ... print PATH" prints it.
want_edited() {
    edited=$1
    shift
    if [ "$phase" = need ]; then
        need_plain_file "$edited" || return 0
        edited_said=$("$@" test "$edited")
        case $?$overwrite in
            0 | 0yes) looks_same "$edited $*" ;;
            1 | 1yes | 5yes)
                : "${step_differs:=yes}"
                need_safe "$edited"
                ;;
            5) need_failed "$edited holds what the description does not state" "$edited_said -- State it, add it elsewhere, or let it go with: sh $again apply --overwrite" ;;
            4 | 4yes) need_failed "$edited has no address of the bridge or of its port that could be kept" 'State the address in the description instead of "keep".' ;;
            *) need_failed "$edited has a BEGIN line of ours without its END line" 'Somebody cut our block in two. Put the END line back where the block ended, or remove the block.' ;;
        esac
    elif is_same "$edited $*"; then
        same "$edited"
        tidy "$edited"
    else
        edited_tag=''
        [ "$1" != block_filter ] || edited_tag=${2#*: }
        # A line of the store is made of words.
        case $edited_tag in *' '*) edited_tag=${edited_tag%% *}_${edited_tag#* } ;; *) ;; esac
        content=$("$@" print "$edited" && printf x) || content=''
        put "$edited" '' edited "$edited_tag"
    fi
}

# want_block PATH TAG first|last <<END: the file has these lines between two markers
# of ours, before ("first") or after all that is not ours. No lines: no block.
want_block() {
    want_edited "$1" block_filter "pvegen $cluster: $2" "$3"
}

# want_no_block PATH TAG: a block of ours from an earlier description is gone.
want_no_block() {
    if is_same "no $2 in $1"; then return 0; fi
    if grep -q -s -F -x -e "# BEGIN pvegen $cluster: $2" "$1"; then
        want_edited "$1" block_filter "pvegen $cluster: $2" last </dev/null
    else
        looks_same "no $2 in $1"
    fi
}

block_filter() {
    awk -v tag="$1" -v where="$2" -v mode="$3" '
        part == "want" { want = want $0 "\n"; next }
        { have = have $0 "\n" }
        $0 == "# BEGIN " tag {
            inside = 1
            # It stays where it is, unless it has to be first and is not.
            if (where == "last" || !others) { before = rest; rest = ""; placed = 1 }
            next
        }
        $0 == "# END " tag { inside = 0; next }
        inside { next }
        /^# BEGIN pvegen / { foreign = 1 }
        { rest = rest $0 "\n"; if (!foreign) others = 1 }
        /^# END pvegen / { foreign = 0 }
        END {
            if (inside) exit 3
            if (want != "") want = "# BEGIN " tag "\n" want "# END " tag "\n"
            if (placed) made = before want rest
            else made = where == "first" ? want rest : rest want
            if (mode == "test") exit made != have
            printf "%s", made
        }' part=want - part=have "$(existing "$4")"
}

# existing PATH: the path, or an empty file where there is nothing.
existing() {
    if [ -e "$1" ]; then printf '%s\n' "$1"; else printf '/dev/null\n'; fi
}

# want_setting PATH NAME VALUE: a NAME=VALUE line in a file that exists.
want_setting() {
    [ -e "$1" ] || return 0
    want_edited "$1" setting_filter "$2" "$3" </dev/null
}

setting_filter() {
    awk -v name="$1" -v value="$2" -v mode="$3" '
        { line = $0 }
        $0 ~ "^[ \t]*" name "=" { gsub(/["\047]/, "", line) }
        { have = have line "\n" }
        $0 ~ "^[ \t]*" name "=" {
            if (!done) made = made name "=" value "\n"
            done = 1
            next
        }
        { made = made $0 "\n" }
        END {
            if (!done) made = made name "=" value "\n"
            if (mode == "test") exit made != have
            printf "%s", made
        }' "$4"
}

# make_directory PATH: with those above it that are not there yet.
make_directory() {
    case ${1%/*} in
        '') ;;
        *) [ -d "${1%/*}" ] || make_directory "${1%/*}" ;;
    esac
    keep_first "$1" directory
    mkdir "$1" || cannot_write "$1"
}

# want_link PATH TARGET: the path is a symbolic link that ends at the target.
want_link() {
    if [ "$phase" = need ]; then
        [ -L "$1" ] || need_plain_file "$1" || return 0
        if links_to "$1" "$2"; then looks_same "$1 -> $2"; else need_safe "$1"; fi
        return 0
    fi
    if is_same "$1 -> $2" || links_to "$1" "$2"; then
        same "$1 -> $2"
        tidy "$1"
    elif differs "$1 -> $2" 'link'; then
        digest_of_text "$2"
        keep_first "$1" "link:$sum"
        temporary_of "$1"
        if ! { rm -f "$temporary" && ln -sn "$2" "$temporary" && mv -fT "$temporary" "$1" && flush "${1%/*}"; }; then
            cannot_write "$1"
        fi
        temporary=''
        changed "$1 -> $2" 'linked'
    fi
}

# links_to PATH TARGET: it is a symbolic link, and ends there.
links_to() {
    [ -L "$1" ] || return 1
    [ "$(readlink "$1")" != "$2" ] || return 0
    # A readlink that is out of order says the same of both.
    link_end=$(readlink -f "$1")
    [ -e "$link_end" ] && [ "$link_end" = "$(readlink -f "$2")" ]
}

# put PATH MODE remember|edited [TAG]: $content (with an x behind it) becomes the file,
# if the call is to change anything; the difference is shown either way.
put() {
    # A command that was killed or failed has made nothing of it, which is not an empty file.
    [ -n "$content" ] || unmade "what $1 is to hold could not be made: a command failed; it stays as it is" 'Is there room for another process? See: dmesg | tail; ulimit -a'
    content=${content%x}
    if [ -e "$1" ] && printf '%s' "$content" 2>/dev/null | cmp -s - "$1" && has_mode "$1" "$2"; then
        same "$1"
        tidy "$1"
        return 0
    elif [ -n "$stage" ]; then
        stage_file "$1" "${3:-}"
        return 0
    fi
    put_how='change'
    [ -e "$1" ] || put_how='create'
    if [ "$call" = apply ]; then
        mark_pending
        digest_of_text "$content"
        keep_first "$1" "$sum" "$3" "${4:-}"
        put_shown=$(printf '%s' "$content" | difference "$1" -)
        replace "$1" "$2" "$3"
        changed "$1" "$put_how"
        detail diff "$put_shown"
    else
        differs "$1" "$put_how" || detail diff "$(printf '%s' "$content" | difference "$1" -)"
        touched="$touched $on_change"
    fi
}

# difference PATH OTHER: unified diff without its two lines of file names.
difference() {
    diff -u "$(existing "$1")" "$2" | tail -n +3
}

# replace PATH MODE [remember]: $content in a temporary file beside it, with the
# old one's owner, mode and attributes, synced, renamed over it.
replace() {
    temporary_of "$1"
    clear_away "$temporary" || cannot_write "$1"
    if [ -e "$1" ]; then
        copy_whole "$1" "$temporary" || cannot_write "$1"
    else
        { true >"$temporary" && chmod "${2:-644}" "$temporary"; } || cannot_write "$1"
    fi
    printf '%s' "$content" >"$temporary" || cannot_write "$1"
    [ -z "$2" ] || chmod "$2" "$temporary" || cannot_write "$1"
    flush "$temporary" || cannot_write "$1"
    if [ -n "$check_with" ] && ! "$check_with" "$temporary"; then
        rm -f "$temporary"
        stop "$1 would not be accepted by its own program; it stays as it was" 'Mend the file first: what is wrong with it stands above.'
    fi
    if [ "${3:-}" = remember ]; then
        { make_place "$state_dir/written${1%/*}" && cp -p "$temporary" "$state_dir/written$1.next"; } || cannot_write "$1"
    fi
    { mv -f "$temporary" "$1" && flush "${1%/*}"; } || cannot_write "$1"
    temporary=''
    [ "${3:-}" != remember ] || mv -f "$state_dir/written$1.next" "$state_dir/written$1" || cannot_write "$state_dir"
}

# temporary_of PATH: sets $temporary to the name beside it that we write under.
temporary_of() {
    temporary=${1%/*}/.${1##*/}.pvegen
}

# tidy PATH: what a run that was killed left beside it is gone.
tidy() {
    [ "$call" = apply ] || return 0
    temporary_of "$1"
    if [ -f "$temporary" ] || [ -L "$temporary" ]; then rm -f "$temporary"; fi
    temporary=''
}

# clear_away PATH: no file or link is there, and no process was started for nothing.
clear_away() {
    if [ -e "$1" ] || [ -L "$1" ]; then rm -f "$1"; fi
}

# make_place DIRECTORY: it is there, and what is above it.
make_place() {
    [ -d "$1" ] || mkdir -p "$1"
}

# copy_whole PATH COPY: with owner, mode and all attributes. $temporary is the copy.
copy_whole() {
    cp -a "$1" "$2" || return 1
    same_attributes "$1" "$2" && return 0
    rm -f "$temporary"
    temporary=''
    copy_place=${2%/*}
    stop "a copy of $1 has not all of its extended attributes; it stays as it is" "See: getfattr -d -m - $1. Is there room below $copy_place, and does that file system take attributes?"
}

# same_attributes PATH COPY: the copy has the access list, the label and all other
# extended attributes too; not every cp copies them.
same_attributes() {
    command -v getfattr >/dev/null 2>&1 || return 0
    attributes=$(attributes_of "$1")
    [ "$attributes" != "$(attributes_of "$2")" ] || return 0
    # One that fails may not have read all: that is told below, and not by printf.
    (cd "${2%/*}/" && printf '# file: %s\n%s\n' "${2##*/}" "$attributes" 2>/dev/null | setfattr --restore=-)
    [ "$attributes" = "$(attributes_of "$2")" ]
}

# attributes_of PATH: all of its extended attributes, a line each. Before them stands the name,
# which has no line break.
attributes_of() {
    named=$(getfattr --absolute-names -h -d -m - -e hex "$1" 2>/dev/null)
    printf '%s\n' "${named#*"$line_break"}"
}

# need_safe PATH: nothing is lost and nobody can come between when it is written
# or removed. Asked only of what differs.
need_safe() {
    safe_in=${1%/*}
    until [ -d "$safe_in/" ]; do safe_in=${safe_in%/*}; done
    safe_in=$(cd -P "$safe_in/" && pwd -P)
    safe_path=$1 safe_part=$safe_in
    set --
    while [ -n "${safe_part%/}" ]; do
        set -- "$@" "$safe_part"
        safe_part=${safe_part%/*}
    done
    for safe_part in $(others_write / "$@"); do
        need_failed "$safe_path lies below $safe_part, where others than root can write" "Somebody could exchange files under the script's hands. See: ls -ld $safe_part. If nobody else has to write there: chown root $safe_part && chmod go-w $safe_part"
    done
    if [ -z "$overwrite" ] && [ -f "$safe_path" ] && [ -n "$(find "$safe_path" -prune -type f -links +1)" ]; then
        need_failed "$safe_path has a second name, a hard link" "Replaced, it would part from its other names. Find them: find / -xdev -samefile $safe_path. Where they may part, as those of a backup: sh $again apply --overwrite"
    fi
    safe_part=$(lsattr -d "$safe_in" "$safe_path" 2>/dev/null | awk '$1 ~ /[ai]/ { print $2; exit }')
    [ -z "$safe_part" ] ||
        need_failed "$safe_part has the attribute i or a, which keeps it from change" "Somebody protected it. If that is no longer meant: chattr -i -a $safe_part"
    temporary_of "$safe_path"
    if [ -d "$temporary" ] && [ ! -L "$temporary" ]; then
        need_failed "$temporary is in the way: it is the name that the script writes under" 'No file of ours: see what it is, and move it away.'
    fi
    temporary=''
}

# others_write DIRECTORY...: those of them that are none, or not root's alone to write to.
others_write() {
    find "$@" -prune ! '(' -type d -user 0 ! -perm -020 ! -perm -002 ')'
}

# unmade WHY WHAT-TO-DO: what a command ought to have said is not known.
unmade() {
    [ "$phase $call" != 'need apply' ] && [ "$call" != check ] || refuse "$1; $2"
    stop "$1" "$2"
}

cannot_write() {
    [ -z "$temporary" ] || rm -f "$temporary"
    temporary=''
    stop "cannot write $1" 'Is the disk full or read-only? See: df -h; mount; dmesg | tail'
}

# flush PATH: the file's data is on the disk (sync of old systems takes no name, warns
# and syncs all).
flush() {
    sync "$1" 2>/dev/null
}

# flush_all: all that was written in /etc and beside is on the disk. Of these file systems alone:
# a mounted one whose server is reached only over the network that is switched would be
# waited for until it is back, which is never.
flush_all() {
    sync -f /etc/. "$state_dir/." 2>/dev/null || sync
}

# has_mode PATH MODE: whether the file's mode is this one; any is where none is given.
has_mode() {
    [ -z "$2" ] || [ -n "$(find "$1" -prune -perm "$2")" ]
}

# looks_same WHAT, is_same WHAT: what the first pass saw need not be looked at
# again in the second, unless a command ran between.
looks_same() {
    same_paths="$same_paths$1|"
}

is_same() {
    case $same_paths in
        *"|$1|"*) return 0 ;;
        *) return 1 ;;
    esac
}

# on_change UNIT: what changes from here on in this step needs the unit to be
# told; remembered on disk first, so that a killed run does not forget it.
on_change() {
    on_change=$1
}

mark_pending() {
    [ -n "$on_change" ] || return 0
    if ! (umask 077 && make_place "$state_dir/pending" && true >>"$state_dir/pending/$on_change"); then
        cannot_write "$state_dir"
    fi
}

# is_pending UNIT: whether a change waits for the unit to be told.
is_pending() {
    is_word "$1" "$touched" || [ -e "$state_dir/pending/$1" ]
}

# settle UNIT COMMAND...: the command tells the unit of what has changed.
settle() {
    [ "$phase" = want ] || return 0
    is_pending "$1" || return 0
    settled=$1
    shift
    differs "$settled" "run $*" || return 0
    if [ -n "$check_with" ] && ! "$check_with"; then
        stop "$settled does not accept its configuration; it is not told of it" 'Mend the file first: what is wrong with it stands above.'
    fi
    keep_state "$settled"
    run "$settled" "$@" || stop "$* failed" "See why: systemctl status $settled; journalctl -b -u $settled"
    rm -f "$state_dir/pending/$settled" || cannot_write "$state_dir"
    changed "$settled" "ran $*"
}

# The store: how paths and units were before our first change of them, on the disk
# before that change. Files are kept in first/ under their own paths; the index has a
# line for each path:
#   steps that changed it, with the tags of their blocks; the unit that is told;
#   what it was first: kind, mode, owner, digest; digests of what we wrote last;
#   "others" where the change of somebody else is in what we wrote; the path.

# open_store: the index into $index.
open_store() {
    [ -z "$index" ] || return 0
    [ -e "$state_dir/index" ] || make_store
    index=$(cat "$state_dir/index" && printf x) || cannot_write "$state_dir"
    index=${index%x}
    case $index in
        '# steps '*"$line_break") ;;
        # Without it we would take what we have made for what was there first.
        *) stop "$state_dir/index, which says what was there before our first change, is damaged" "The files of before are in $state_dir/first: put them back by hand, or restore $state_dir from a backup. To go on without: mv $state_dir $state_dir.old" ;;
    esac
}

make_store() {
    index="# steps told kind mode owner first ours since path$line_break"
    [ ! -d "$state_dir/first" ] || adopt_store
    (umask 077 && mkdir -p "$state_dir/first" "$state_dir/pending" "$state_dir/written") || cannot_write "$state_dir"
    write_index
    rm -f "$state_dir/made"
}

write_index() {
    if ! { printf '%s' "$index" >"$state_dir/index.new" && flush "$state_dir/index.new" &&
        mv -f "$state_dir/index.new" "$state_dir/index" && flush "$state_dir"; }; then
        cannot_write "$state_dir"
    fi
}

# digest_of PATH: what stands there, in a word, into $sum.
digest_of() {
    if [ -L "$1" ]; then
        digest_of_text "$(readlink "$1")"
        sum=link:$sum
    elif [ -f "$1" ]; then
        sum=$(sha256sum <"$1")
        sum=${sum%% *}
    elif [ -d "$1" ]; then
        sum='directory'
    elif [ -e "$1" ]; then
        sum='other'
    else
        sum='absent'
    fi
    : "${sum:=unreadable}"
}

digest_of_text() {
    sum=$(printf '%s' "$1" | sha256sum)
    sum=${sum%% *}
}

# find_kept PATH: its line of the index into variables; false where it has none.
find_kept() {
    case $index in
        *" $1$line_break"*) ;;
        *) return 1 ;;
    esac
    kept_after=${index#*" $1$line_break"}
    kept_before=${index%%" $1$line_break"*}
    kept_line=${kept_before##*"$line_break"}
    kept_before=${kept_before%"$kept_line"}
    # The line is split into its words on purpose.
    # shellcheck disable=SC2086
    kept_set $kept_line
}

kept_set() {
    kept_steps=$1 kept_told=$2 kept_kind=$3 kept_mode=$4 kept_owner=$5 kept_first=$6 kept_ours=$7 kept_since=$8
}

# save_kept PATH: the variables become its line of the index.
save_kept() {
    kept_line="$kept_steps $kept_told $kept_kind $kept_mode $kept_owner $kept_first $kept_ours $kept_since"
    index="$kept_before$kept_line $1$line_break$kept_after"
    write_index
}

# is_listed WORD LIST: whether the list, with commas, has the word.
is_listed() {
    case ",$2," in
        *",$1,"*) return 0 ;;
        *) return 1 ;;
    esac
}

# keep_first PATH WANTED [edited [TAG]]: the path is about to become what has the digest
# WANTED. What stands there is kept, the first time; of an "edited" file, what others
# changed since is in what we write. TAG is that of the block that is written.
keep_first() {
    open_store
    digest_of "$1"
    keep_step=$step${4:+:$4}
    if find_kept "$1"; then
        keep_same=$index
        if ! is_listed "$sum" "$kept_first,$kept_ours"; then
            [ "${3:-}" != edited ] || kept_since=others
            kept_ours=$2
        elif [ "$sum" = "$kept_first" ] || [ "$sum" = "$2" ]; then
            kept_ours=$2
        else
            kept_ours=$sum,$2
        fi
        # What was left of it had our blocks taken out.
        [ "$kept_since" != out ] || kept_since=others
        [ "$kept_told" != - ] || kept_told=${on_change:--}
        is_listed "$keep_step" "$kept_steps" || [ "$step" = admission ] || kept_steps=$kept_steps,$keep_step
        kept_line="$kept_steps $kept_told $kept_kind $kept_mode $kept_owner $kept_first $kept_ours $kept_since"
        [ "$kept_before$kept_line $1$line_break$kept_after" = "$keep_same" ] || save_kept "$1"
    else
        keep_copy "$1"
        kept_before=$index kept_after='' kept_steps=$keep_step kept_told=${on_change:--} kept_ours=$2 kept_since=-
        save_kept "$1"
    fi
}

# keep_copy PATH: what stands there now goes into first/, and into the variables. A copy
# without a line of the index is of a run that died before it changed anything.
keep_copy() {
    kept_first=$sum kept_mode=- kept_owner=-
    case $sum in
        absent)
            kept_kind='absent'
            [ -d "$state_dir/first$1" ] || clear_away "$state_dir/first$1" || cannot_write "$state_dir"
            return 0
            ;;
        link:*) kept_kind='link' ;;
        directory | other) kept_kind=$sum ;;
        *) kept_kind='file' ;;
    esac
    temporary=$state_dir/first$1.new
    if ! { clear_away "$temporary" && make_place "$state_dir/first${1%/*}" && copy_whole "$1" "$temporary" &&
        { [ "$kept_kind" != file ] || flush "$temporary"; } && mv -fT "$temporary" "$state_dir/first$1"; }; then
        cannot_write "$state_dir"
    fi
    temporary=''
    mode_of "$1"
    kept_mode=${mode% *} kept_owner=${mode#* }
}

# mode_of PATH: "MODE UID:GID" into $mode.
mode_of() {
    mode=$(stat -c '%a %u:%g' "$1") || mode='- -'
}

# forget_kept PATH: it is as it was first, or nothing of ours is left in it.
forget_kept() {
    [ -z "${keeps_store:-}" ] || return 0
    find_kept "$1" || return 0
    index=$kept_before$kept_after
    write_index
    # Below a directory there may be copies that are still needed.
    rm -f "$state_dir/first$1" "$state_dir/written$1" "$state_dir/written$1.next" 2>/dev/null
    return 0
}

# keep_unit DID: how the unit stood before the first change of ours, and what we do to
# it: enable, start, disable, stop, mask, or tell (of a change, which may start it).
keep_unit() {
    open_store
    keep_states=$(awk -v unit="$unit" -v step="$step" -v did="$1" '
        $1 == unit && !first { first = $2 " " $3 }
        $1 == unit && $4 == step && $5 == did { found = 1 }
        END { print found ? "known" : first }' "$(existing "$state_dir/units")") || cannot_write "$state_dir/units"
    [ "$keep_states" != known ] || return 0
    keep_file=$unit_file
    case $unit_file in
        # One made of a SysV script says it only when asked.
        - | generated) if systemctl is-enabled "$unit_id" >/dev/null 2>&1; then keep_file=enabled; else keep_file=disabled; fi ;;
        *) ;;
    esac
    if ! { printf '%s %s %s %s\n' "$unit" "${keep_states:-$keep_file $unit_active}" "$step" "$1" >>"$state_dir/units" &&
        flush "$state_dir/units"; }; then
        cannot_write "$state_dir/units"
    fi
}

# keep_state UNIT: the same for what is told of a change, where it is a unit.
keep_state() {
    units_look "$1"
    unit=$1
    unit_facts "$unit"
    [ "$unit_load" != loaded ] || keep_unit tell
}

# adopt_store: an index for a store that an earlier version of this script has made. It
# knew no digests: those of the files that it kept, first and as written, tell.
adopt_store() {
    adopt_known=$(find "$state_dir/first" "$state_dir/written" -type f -exec sha256sum {} + 2>/dev/null)
    adopt_paths=$(
        cat "$(existing "$state_dir/made")"
        find "$state_dir/first" ! -type d | awk -v skip="${#state_dir}" '{ print substr($0, skip + 7) }'
    )
    while IFS= read -r adopt_path; do
        case $adopt_path in
            '' | "$state_dir"/* | */pvegen-close.service) ;;
            *) adopt "$adopt_path" ;;
        esac
    done <<END
$adopt_paths
END
    [ ! -e "$state_dir/units" ] || {
        awk 'NF == 3 {
            step = $1 == "sshd" || $1 == "ssh" ? "ssh" : "services"
            if ($1 ~ /^network/) step = "bridge"
            if ($1 ~ /ntpd|chrony|timesyncd/) step = "time"
            $0 = $0 " " step " -"
        }
        { print }' "$state_dir/units" >"$state_dir/units.new" && mv -f "$state_dir/units.new" "$state_dir/units"
    } || cannot_write "$state_dir"
}

adopt() {
    kept_before=$index kept_after='' kept_told=- kept_kind='absent' kept_mode=- kept_owner=- kept_ours=- kept_since=-
    case $1 in
        /etc/net/* | /etc/network/*) kept_steps=bridge kept_told=network ;;
        /etc/hosts) kept_steps=names ;;
        */sshd_config) kept_steps=ssh:environment,root-login:root_login kept_told=${sshd_unit:--} ;;
        */ssh_config) kept_steps=ssh:environment ;;
        /root/*) kept_steps=trust ;;
        /etc/corosync/*) kept_steps=stub ;;
        *rrdcached*) kept_steps=rrdcached kept_told=rrdcached ;;
        *) kept_steps='time' ;;
    esac
    digest_of "$state_dir/first$1"
    kept_first=$sum
    case $sum in
        absent) ;;
        *)
            kept_kind='file'
            [ ! -L "$state_dir/first$1" ] || kept_kind='link'
            mode_of "$state_dir/first$1"
            kept_mode=${mode% *} kept_owner=${mode#* }
            ;;
    esac
    if [ -e "$state_dir/written$1" ]; then
        digest_of "$state_dir/written$1"
        kept_ours=$sum
    fi
    digest_of "$1"
    case $sum in
        absent | directory | link:*) kept_ours=$kept_ours,$sum ;;
        *)
            case $adopt_known in
                *"$sum"*) kept_ours=$kept_ours,$sum ;;
                *) [ "$kept_ours" != - ] || kept_since=others ;;
            esac
            ;;
    esac
    index="$index$kept_steps $kept_told $kept_kind $kept_mode $kept_owner $kept_first $kept_ours $kept_since $1$line_break"
}

# Rollback: every path and unit as the store has it from before our first change. What
# others changed since is left, and what a cluster stands on stays.

# roll_back: the steps backwards; it ends the run.
roll_back() {
    in_cluster='' stays=0
    if [ ! -d "$state_dir" ]; then
        rmdir /var/lib/pvegen 2>/dev/null
        out '1..0'
        remark 'Nothing to put back: no script of this cluster has changed anything here.'
        exit 0
    fi
    open_store
    # With a key alone, a create or join was broken off.
    if is_member || [ -e /etc/corosync/authkey ]; then in_cluster=yes; fi
    rolled=''
    for roll_step in $step_names; do rolled="$roll_step $rolled"; done
    # A step of an earlier description comes first.
    rolled="$(roll_steps | awk -v names="$step_names" '
        BEGIN { count = split(names, name, " "); for (i = 1; i <= count; i++) known[name[i]] = 1 }
        !known[$1]++') $rolled"
    for roll_step in ${only:-$rolled}; do roll_back_step "$roll_step"; done
    if has_pending; then
        step=services
        subtest services
        tell_back
        subtest_end services
    fi
    sweep_store
    out "1..$top"
    [ "$stays" -eq 0 ] || remark "What stays for the cluster: $stays. Whether this node leaves cluster $cluster is for a person to decide: on another member, pvecm delnode $node; clean this node by the manual of Proxmox VE; then rollback here again."
    if [ "$bad" -gt 0 ]; then
        remark "Not put back: $bad; see \"not ok\" above. What was there first is under $state_dir/first."
        exit 1
    fi
    remark "Done. Put back: $changes."
    exit 0
}

# roll_steps: the steps that the store has, one a line.
roll_steps() {
    printf '%s' "$index" | awk '!/^#/ { sub(/[:,].*/, "", $1); print $1 }'
    awk '{ print $4 }' "$(existing "$state_dir/units")"
}

# roll_back_step STEP: its paths, then who is told of them, then its units.
roll_back_step() {
    find_roll_paths "$1"
    roll_units=$(awk -v step="$1" '
        $4 != step { next }
        !($1 in did) { unit[++units] = $1 }
        { did[$1] = did[$1] "," $5; state[$1] = $2 " " $3 }
        END { for (i = units; i > 0; i--) print unit[i], state[unit[i]], substr(did[unit[i]], 2) }
    ' "$(existing "$state_dir/units")")
    step=$1
    [ -n "$roll_paths$roll_units" ] || return 0
    subtest "$1"
    why_stays "$1"
    if [ -n "$why" ]; then
        each_line "$roll_paths" leave_for_cluster
        each_line "$roll_units" leave_for_cluster
    else
        if is_network; then roll_back_network; else each_line "$roll_paths" put_back; fi
        tell_back
        each_line "$roll_units" put_back_unit
        [ "$1" != root-login ] || rm -f "$state_dir/root-login"
    fi
    subtest_end "$1"
}

# find_roll_paths STEP: its paths, the last first, a line each, into $roll_paths.
find_roll_paths() {
    open_store
    roll_paths=$(printf '%s' "$index" | awk -v step="$1" -v only="$only" '
        /^#/ { next }
        {
            count = split($1, word, ",")
            for (i = 1; i <= count; i++) {
                sub(/:.*/, "", word[i])
                if (word[i] == step && (i == 1 || only != "")) break
            }
            if (i > count) next
            path = $9
            for (i = 10; i <= NF; i++) path = path " " $i
            line[++lines] = path
        }
        END { for (i = lines; i > 0; i--) print line[i] }')
}

# each_line LINES FUNCTION: the function for each line.
each_line() {
    [ -n "$1" ] || return 0
    while IFS= read -r roll_line; do
        "$2" "$roll_line"
    done <<END
$1
END
}

# why_stays STEP: why what the step made stays on a node that is in a cluster, or where
# guests are; empty where it goes.
why_stays() {
    why=''
    if [ -n "$in_cluster" ]; then
        case $1 in
            names) why='the nodes of a cluster find one another by these names' ;;
            bridge) why='the cluster reaches this node through it' ;;
            ssh | admission) why='guests'\'' consoles and moves between the nodes go through it' ;;
            trust) why='the nodes reach one another with it' ;;
            root-login) why='without it root'\''s login would be as pvecm has set it: open to passwords' ;;
            stub) why='corosync'\''s configuration is the cluster'\''s' ;;
            services | create | join | manager) why='the cluster'\''s nodes serve one another' ;;
            *) ;;
        esac
    fi
}

leave_for_cluster() {
    stays=$((stays + 1))
    point ok "${1%% *}" "SKIP $why"
}

# put_back PATH: as it was first; or what is ours in it out, or left where it is not ours.
put_back() {
    find_kept "$1" || return 0
    back_copy=$state_dir/first$1
    on_change=$kept_told
    [ "$on_change" != - ] || on_change=''
    check_of "$1"
    temporary_of "$1"
    for back_rest in "$temporary" "$temporary.pub" "$1.pvegen"; do
        if [ -e "$back_rest" ] || [ -L "$back_rest" ]; then rm -f "$back_rest"; fi
    done
    temporary=''
    digest_of "$1"
    if is_as_first "$1"; then
        forget_kept "$1"
        same "$1"
    elif [ -n "$only" ] && has_other_steps; then
        take_out_step "$1"
    elif [ "$kept_since" = out ] && is_listed "$sum" "$kept_ours"; then
        forget_taken_out "$1"
    elif [ "$kept_since" = - ] && is_listed "$sum" "$kept_ours"; then
        put_back_whole "$1"
    elif [ -e "$state_dir/written$1" ] || [ ! -f "$1" ] || [ -L "$1" ]; then
        leave "$1"
    else
        take_out_ours "$1"
    fi
    on_change='' check_with=''
}

# is_as_first PATH: its $sum, mode and owner are those of before.
is_as_first() {
    [ "$sum" = "$kept_first" ] || return 1
    [ "$sum" != absent ] || return 0
    mode_of "$1"
    [ "$mode" = "$kept_mode $kept_owner" ]
}

has_other_steps() {
    for back_entry in $(printf '%s' "$kept_steps" | tr ',' ' '); do
        case ${back_entry%%:*} in
            "$only" | admission) ;;
            *) return 0 ;;
        esac
    done
    return 1
}

# put_back_whole PATH: what is there is ours, and goes for what was there.
put_back_whole() {
    if [ "$kept_kind" = absent ]; then
        mark_pending
        if [ "$sum" = directory ]; then
            if ! rmdir "$1" 2>/dev/null; then
                case $1 in
                    # What daemons wrote for themselves is nobody's to put back.
                    /var/lib/*)
                        point ok "$1" 'SKIP its daemon has written into it: left alone'
                        forget_kept "$1"
                        ;;
                    *)
                        point 'not ok' "$1/ is not empty; it is left"
                        detail found "$(ls -A "$1")"
                        ;;
                esac
                return 0
            fi
        else
            rm -f "$1" || cannot_write "$1"
        fi
        flush "${1%/*}/"
        forget_kept "$1"
        changed "$1" 'removed'
        return 0
    fi
    temporary_of "$1"
    if [ ! -d "${1%/*}" ] || { [ ! -e "$back_copy" ] && [ ! -L "$back_copy" ]; }; then
        leave "$1"
        return 0
    fi
    copy_whole "$back_copy" "$temporary" || cannot_write "$1"
    if [ "$kept_kind" = file ]; then
        flush "$temporary" || cannot_write "$1"
        if [ -n "$check_with" ] && ! "$check_with" "$temporary"; then
            rm -f "$temporary"
            temporary=''
            point 'not ok' "$1 would not be accepted by its own program; it stays as it was"
            detail help "What was there first: $back_copy"
            return 0
        fi
    fi
    mark_pending
    mv -fT "$temporary" "$1" || cannot_write "$1"
    temporary=''
    flush "${1%/*}/"
    forget_kept "$1"
    changed "$1" 'put back'
}

# leave PATH [MISSING]: it was changed since by others; lines of before are missing in it.
leave() {
    point 'not ok' "$1 was changed by others since; it is left as it is"
    back_copy="What was there first: $back_copy"
    [ "$kept_kind" != absent ] || back_copy='There was nothing first: remove it if nobody needs it.'
    detail found "$sum" written "$kept_ours" first "$kept_first" missing "${2:-}" help "$back_copy"
}

# take_out_ours PATH: others changed the file too: what stands between our marks goes.
take_out_ours() {
    case $1 in
        /etc/network/interfaces) content=$(stanzas_back "$1" "$(existing "$back_copy")" && printf x) ;;
        *) content=$(blocks_out '' "$1" && printf x) ;;
    esac
    take_out "$1" || return 0
    find_kept "$1"
    forget_taken_out "$1"
}

# take_out PATH: $content (with an x behind it), which has our blocks out, becomes the
# file; false where that ends the matter.
take_out() {
    if [ -z "$content" ]; then
        point 'not ok' "$1 has a BEGIN line of ours without its END line"
        detail help 'Somebody cut our block in two. Put the END line back where the block ended, or remove the block.'
        return 1
    fi
    content=${content%x}
    back_now=$sum
    digest_of_text "$content"
    if [ "$sum" = "$kept_first" ] || { [ "$kept_kind" = absent ] && [ -z "$(printf '%s' "$content" | tr -d ' \t\n')" ]; }; then
        sum=$back_now
        put_back_whole "$1"
        return 1
    fi
    [ "$sum" != "$back_now" ] || return 0
    if [ -n "$check_with" ]; then
        printf '%s' "$content" >"$state_dir/candidate" || cannot_write "$state_dir"
        if ! "$check_with" "$state_dir/candidate"; then
            rm -f "$state_dir/candidate"
            point 'not ok' "$1 would not be accepted by its own program; it stays as it was"
            detail help "What was there first: $back_copy"
            return 1
        fi
        rm -f "$state_dir/candidate"
    fi
    if [ -z "$only" ] || ! has_other_steps; then
        kept_ours=$sum kept_since=out
    elif is_listed "$back_now" "$kept_ours"; then
        kept_ours=$back_now,$sum
    else
        kept_ours=$sum
    fi
    save_kept "$1"
    mark_pending
    check_with=''
    replace "$1" ''
    digest_of "$1"
}

# forget_taken_out PATH: our blocks are out of it. Lines of ours that are in no block
# stay, where they took the place of lines that are not there any more.
forget_taken_out() {
    back_missing=''
    [ ! -f "$back_copy" ] || back_missing=$(grep -v -x -F -f "$1" "$back_copy" | grep .)
    if [ -n "$back_missing" ] || { [ "$kept_kind" = absent ] && [ "$kept_since" != out ]; }; then
        leave "$1" "$back_missing"
        return 0
    fi
    forget_kept "$1"
    changed "$1" 'what was ours is out, changes by others stay'
}

# take_out_step PATH: other steps of ours are in the file too: the blocks of this one go.
take_out_step() {
    back_tags=$(printf '%s' "$kept_steps" | tr ',' '\n' | awk -F : -v step="$only" '$1 == step && $2 != "" { print $2 }' | tr '\n' ' ')
    if [ -z "$back_tags" ]; then
        leave "$1"
        return 0
    fi
    back_rest=$(printf '%s' "$kept_steps" | tr ',' '\n' | awk -F : -v step="$only" '$1 != step' | tr '\n' ',')
    content=$(blocks_out "$back_tags" "$1" && printf x)
    # The words are those of a file that others changed already, or of ours alone.
    is_listed "$sum" "$kept_first,$kept_ours" || kept_since=others
    take_out "$1" || return 0
    find_kept "$1"
    kept_steps=${back_rest%,}
    save_kept "$1"
    changed "$1" 'what was ours is out, changes by others stay'
}

# blocks_out TAGS PATH: the file without our blocks of these tags, of all where none
# are named. In a tag, "_" stands for a blank.
blocks_out() {
    awk -v tags="$1" -v own="pvegen $cluster" '
        function is_ours(text,    tag) {
            if (substr(text, 1, length(own)) != own) return 0
            tag = substr(text, length(own) + 1)
            if (tag == "") return tags == ""
            if (substr(tag, 1, 2) != ": ") return 0
            tag = substr(tag, 3)
            gsub(/ /, "_", tag)
            return tags == "" || index(" " tags " ", " " tag " ")
        }
        !inside && /^# BEGIN / && is_ours(substr($0, 9)) { inside = substr($0, 9); next }
        inside { if ($0 == "# END " inside) inside = ""; next }
        { made = made $0 "\n" }
        END { if (inside) exit 3; printf "%s", made }' "$2"
}

# stanzas_back PATH FIRST: /etc/network/interfaces with the first file's stanzas of the
# interfaces that our block describes in place of it.
stanzas_back() {
    awk -v own="pvegen $cluster" '
        part == "have" && $0 == "# BEGIN " own { inside = 1; at = ++lines; next }
        part == "have" && $0 == "# END " own { inside = 0; next }
        part == "have" && inside { if ($1 == "iface") ours[$2] = 1; next }
        part == "have" { line[++lines] = $0; if ($1 == "iface") there[$2, $3] = 1; next }
        $1 == "auto" || $1 ~ /^allow-/ {
            taking = 0
            names = ""
            for (i = 2; i <= NF; i++) if (ours[$i]) names = names " " $i
            if (names != "") back = back $1 names "\n"
            next
        }
        $1 == "iface" { taking = ours[$2] && !there[$2, $3] }
        $1 == "mapping" || $1 ~ /^source/ { taking = 0 }
        taking { back = back $0 "\n" }
        END {
            if (inside) exit 3
            for (i = 1; i <= lines; i++) printf "%s", i == at ? back : line[i] "\n"
        }' part=have "$1" part=first "$2"
}

# has_pending: a service has yet to be told.
has_pending() {
    for back_unit in "$state_dir/pending"/*; do
        case ${back_unit##*/} in '*' | network | pvecm) ;; *) return 0 ;; esac
    done
    return 1
}

# tell_back: services are told of their files, where they run.
tell_back() {
    for back_unit in "$state_dir/pending"/*; do
        [ -e "$back_unit" ] || continue
        back_unit=${back_unit##*/}
        case $back_unit in network | pvecm) continue ;; *) ;; esac
        if systemctl is-active "$back_unit" >/dev/null 2>&1; then
            check_of "$back_unit"
            if { [ -n "$check_with" ] && ! "$check_with"; } || ! run "$back_unit" systemctl reload-or-restart "$back_unit"; then
                point 'not ok' "systemctl reload-or-restart $back_unit failed"
                detail help "See why: systemctl status $back_unit; journalctl -b -u $back_unit"
                continue
            fi
            changed "$back_unit" "ran systemctl reload-or-restart $back_unit"
        fi
        rm -f "$state_dir/pending/$back_unit"
    done
    check_with=''
}

# put_back_unit "UNIT FILE-STATE ACTIVE DID": what we did to the unit, undone.
put_back_unit() {
    # shellcheck disable=SC2086
    back_unit_set $1
    # On a member only the clock's services are nobody else's business.
    if [ -n "$in_cluster" ] && [ "$step" != time ]; then
        why='the cluster'\''s nodes serve one another'
        leave_for_cluster "$back_unit"
        return 0
    fi
    case $step in
        services | create | join | manager)
            if has_own_guests; then
                point 'not ok' "$back_unit stays: guests are on this node: $guests"
                detail help 'The bridge would go down and nobody plugs them in again. Move or shut down the guests of this node first, or let the change wait for the next boot: apply --activate reboot.'
                return 0
            fi
            ;;
        *) ;;
    esac
    unit=$back_unit unit_changed=no back_failed=''
    look_back_unit
    [ "$unit_load" != masked ] || ! did mask || [ "$back_file" = masked ] || undo_unit unmask
    if did enable && [ "$back_file" != enabled ] && unit_boots && [ "$unit_file" != static ]; then undo_unit disable; fi
    if did disable && [ "$back_file" = enabled ] && ! unit_is_enabled; then undo_unit enable; fi
    case $back_active in
        active | reloading | activating)
            if did stop && ! unit_runs; then undo_unit start; fi
            ;;
        *)
            if { did start || did tell; } && unit_runs; then undo_unit stop; fi
            ;;
    esac
    [ -z "$back_failed" ] || return 0
    [ "$unit_changed" = yes ] || same "$back_unit"
    if ! { awk -v unit="$back_unit" -v step="$step" '$1 != unit || $4 != step' "$state_dir/units" >"$state_dir/units.new" &&
        mv -f "$state_dir/units.new" "$state_dir/units"; }; then
        cannot_write "$state_dir"
    fi
}

back_unit_set() {
    back_unit=$1 back_file=$2 back_active=$3 back_did=$4
}

# did WHAT: we did this to the unit; what an earlier version did is not known.
did() {
    is_listed "$1" "$back_did" || is_listed - "$back_did"
}

look_back_unit() {
    forget_looks
    units_look "$back_unit"
    unit_facts "$back_unit"
    [ "$unit_load" = loaded ] || unit_id=$back_unit
}

undo_unit() {
    if run "$back_unit" systemctl "$1" "$unit_id"; then
        unit_changed=yes
        changed "$back_unit" "$1"
    else
        back_failed=yes
        point 'not ok' "systemctl $1 $unit_id failed"
        detail help "See why: systemctl status $unit_id; journalctl -b -u $unit_id"
    fi
    look_back_unit
}

# has_own_guests: guests are on this node, or run ($guests); PVE's services are theirs.
has_own_guests() {
    guests=''
    for guest in /etc/pve/local/qemu-server/*.conf /etc/pve/local/lxc/*.conf /etc/pve/local/openvz/*.conf \
        /run/qemu-server/*.pid /var/run/qemu-server/*.pid; do
        [ ! -e "$guest" ] || guests="$guests ${guest##*/}"
    done
    guests=${guests# }
    [ -n "$guests" ]
}

# is_network: the paths are those of the network's configuration.
is_network() {
    case $step in bridge) return 0 ;; *) return 1 ;; esac
}

# roll_back_network: the files, and the network that they describe; nothing is done to
# it where they are as they were first.
roll_back_network() {
    on_change=network
    if ! is_pending network && network_is_first; then
        network_files_back
        return 0
    fi
    all_bridges
    if has_guests "$all_bridges"; then
        point 'not ok' "guests are plugged into $all_bridges: $guests"
        detail help 'The bridge would go down and nobody plugs them in again. Move or shut down the guests of this node first, or let the change wait for the next boot: apply --activate reboot.'
        return 0
    fi
    if [ "$network_manager" = etcnet ] && ! network_is_ours; then return 0; fi
    if ! is_whole "$script_file"; then
        point 'not ok' 'this script is read from a file'
        detail help 'The network is switched by a copy of the script that outlives your login. Put the script into a file and call that: sh FILE apply'
        return 0
    fi
    add_kept_interfaces
    switch_goal=rollback staged=yes
    case $network_manager in
        etcnet) switch_manner=exchange ;;
        *) switch_manner=reload ;;
    esac
    undo=switch_forget
    switch_record || cannot_write "$switch_dir"
    mark_pending
    switch_run
    # Now the store lets go of what it kept.
    open_store
    network_files_back
    changed 'running network' 'put back'
    switch_end
    forget_looks
}

# add_kept_interfaces: those of an earlier description are switched with the others.
add_kept_interfaces() {
    for kept_interface in $(printf '%s' "$roll_paths" | sed -n 's|^/etc/net/ifaces/\([^/]*\)/.*|\1|p' | sort -u); do
        is_word "$kept_interface" "$network_interfaces" || network_interfaces="$network_interfaces $kept_interface"
    done
}

# network_files_back: the files alone.
network_files_back() {
    each_line "$roll_paths" put_back
}

network_is_first() {
    back_differs=''
    each_line "$roll_paths" look_network_path
    [ -z "$back_differs" ]
}

look_network_path() {
    find_kept "$1" || return 0
    digest_of "$1"
    is_as_first "$1" || back_differs="$back_differs $1"
}

# network_is_ours: half of it put back would be worse than none: two interfaces would
# have one address.
network_is_ours() {
    back_others=''
    each_line "$roll_paths" look_network_owner
    [ -z "$back_others" ]
}

look_network_owner() {
    find_kept "$1" || return 0
    digest_of "$1"
    back_copy=$state_dir/first$1
    if ! is_listed "$sum" "$kept_first,$kept_ours"; then
        back_others=yes
        leave "$1"
    fi
}

has_global_address() {
    [ -n "$(ip -o addr show scope global)" ]
}

# sweep_store: what is left in the store when all of it was put back, or copies of what
# was.
sweep_store() {
    open_store
    case ${index#*"$line_break"} in
        '')
            if [ ! -s "$state_dir/units" ] && ! has_pending; then
                rm -rf "$state_dir/first" "$state_dir/written" "$state_dir/pending" "$state_dir/units" \
                    "$state_dir/root-login" "$state_dir/index.new" "$state_dir/units.new" "$state_dir/made"
                rm -f "$state_dir/index"
                rmdir "$state_dir" /var/lib/pvegen 2>/dev/null
            fi
            ;;
        *) find "$state_dir/first" "$state_dir/written" -depth -mindepth 1 -type d -exec rmdir {} + 2>/dev/null ;;
    esac
}

# Requirements: looked at before anything is changed, all of them.

need_met() {
    point ok "$step: $1"
}

# need_failed WHAT [WHAT-TO-DO [DIFF]]
need_failed() {
    point 'not ok' "$step: $1"
    [ -z "${2:-}" ] || detail help "$2" diff "${3:-}"
}

# need WHAT WHAT-TO-DO COMMAND...: the command succeeds.
need() {
    [ "$phase" = need ] || return 0
    need_what=$1 need_do=$2
    shift 2
    if "$@"; then need_met "$need_what"; else need_failed "$need_what" "$need_do"; fi
}

# right_host: this is the node that the script was made for.
right_host() {
    here=''
    { [ -r /proc/sys/kernel/hostname ] && read -r here </proc/sys/kernel/hostname; } || here=$(uname -n)
    here=${here%%.*}
    other_host="this script is for $node, and this host is $here"
    [ "$here" = "$node" ]
}

need_host() {
    [ "$phase" = need ] || return 0
    if right_host; then
        need_met "this is $node"
    else
        need_failed "$other_host" "Take the script of this host, or give the host its name (hostnamectl set-hostname $node) before it is in any cluster."
    fi
}

need_root() {
    need 'run as root' 'Run the script as root, for example through: su -' is_root
}

is_root() {
    [ "$(id -u)" -eq 0 ]
}

# need_release FILE PATTERN: the system's name in its release file.
need_release() {
    [ "$phase" = need ] || return 0
    release=''
    [ ! -r "$1" ] || IFS= read -r release <"$1"
    # The pattern is meant as one: it stands unquoted.
    # shellcheck disable=SC2254
    case $release in
        $2) need_met "$release" ;;
        *) need_failed "$1 says \"${release:-}\", not $2" "The script was built for $target: build it for the system that this node runs." ;;
    esac
}

# need_series SERIES FIT...: the major version of PVE is one of these. FIT is
# "RELEASE-FILE:SERIES:TARGET", for what to do where it is another.
need_series() {
    [ "$phase" = need ] || return 0
    pve_version=$(pveversion 2>/dev/null)
    pve_version=${pve_version#pve-manager/}
    pve_version=${pve_version%%/*}
    series_wanted=$1
    shift
    if is_word "${pve_version%%.*}" "$series_wanted"; then
        need_met "Proxmox VE $pve_version"
    else
        fits=''
        for fit in "$@"; do
            if [ -e "${fit%%:*}" ] && [ "${fit%:*}" = "${fit%%:*}:${pve_version%%.*}" ]; then
                fits="${fits:+$fits\" or \"}${fit##*:}"
            fi
        done
        series_do="The script was built for $target: build it for the series that is installed (pveversion), or install Proxmox VE first."
        [ -z "$fits" ] || series_do="The script was built for $target. This node needs target = \"$fits\" in the description: all nodes of a cluster run the same series."
        need_failed "Proxmox VE ${pve_version:-?} is installed, the script is for series $series_wanted" "$series_do"
    fi
}

# need_commands NAME...: every command that the steps call.
need_commands() {
    [ "$phase" = need ] || return 0
    missing=''
    for needed in "$@"; do
        command -v "$needed" >/dev/null 2>&1 || missing="$missing $needed"
    done
    if [ -z "$missing" ]; then
        need_met 'all commands are there'
    else
        need_failed "commands are missing: ${missing# }" 'Install the packages that hold them.'
    fi
}

# need_packages NAME...: what the starter kit installs.
need_packages() {
    [ "$phase" = need ] || return 0
    case $packages_by in
        dpkg)
            # dpkg-query is to expand this.
            # shellcheck disable=SC2016
            set_packages=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null)
            missing=''
            for package in "$@"; do
                case "$line_break$set_packages$line_break" in
                    *"${line_break}installed $package$line_break"*) ;;
                    *) missing="$missing $package" ;;
                esac
            done
            missing=${missing# }
            ;;
        *)
            if missing=$(ask_rpm -q "$@" 2>&1); then
                missing=''
            else
                missing=$(printf '%s\n' "$missing" | awk '/not installed/ { names = names " " $2 } END { print substr(names, 2) }')
                missing=${missing:-"$*"}
            fi
            ;;
    esac
    if ! command -v "$packages_by" >/dev/null 2>&1; then
        need_failed "$packages_by cannot tell which packages are installed: it is not there" 'Install the packages that hold them.'
    elif [ -z "$missing" ]; then
        need_met "packages are installed: $*"
    else
        need_failed "packages are missing: $missing" "Install them first, from the medium or the mirror that you have: apt-get install $*"
    fi
}

# ask_rpm WORD...: by its place, since a busybox whose shell takes its own commands first
# has another "rpm", which knows of no package.
ask_rpm() {
    for rpm_at in /usr/sbin/rpm /usr/bin/rpm /sbin/rpm /bin/rpm; do
        if [ -x "$rpm_at" ]; then
            "$rpm_at" "$@"
            return
        fi
    done
    return 127
}

# need_no_rival UNIT...: no second program manages the network, now or from the next
# boot on.
need_no_rival() {
    [ "$phase" = need ] || return 0
    units_look "$@"
    rivals=''
    for rival in "$@"; do
        unit_facts "$rival"
        if unit_runs || unit_is_enabled; then
            rivals="$rivals $rival"
            need_failed "$rival is active or enabled, and manages the network too" "Two managers undo one another's work. On the console, for the network may go down with it: systemctl disable $rival, then reboot."
        fi
    done
    [ -n "$rivals" ] || need_met 'nothing else manages the network'
}

# need_plain_file PATH: a file, or nothing; neither a link nor something else.
need_plain_file() {
    if [ -L "$1" ]; then
        need_failed "$1 is a symbolic link" 'The script replaces files, not what links lead to. Put a plain file there, or move it away.'
        return 1
    elif [ -e "$1" ] && [ ! -f "$1" ]; then
        need_failed "$1 is not a plain file" 'The script replaces files, not what links lead to. Put a plain file there, or move it away.'
        return 1
    fi
}

# need_interface NAME UPPERS: a wired interface that nothing but our own bridges and
# bonds uses.
need_interface() {
    [ "$phase" = need ] || return 0
    nic=/sys/class/net/$1
    if [ ! -d "$nic" ]; then
        need_failed "there is no interface $1" 'See what interfaces there are: ip link. Then correct the description and build again.'
    elif [ -d "$nic/wireless" ]; then
        need_failed "interface $1 is wireless" 'A wireless interface cannot be a port of a bridge: state a wired one.'
    elif ! free_for "$nic/master" "$2"; then
        need_failed "interface $1 belongs to another bridge or bond" "See which one: ls -l /sys/class/net/$1/master. Take it out there or correct the description."
    else
        need_met "interface $1 is there and free"
    fi
}

# need_free NAME UPPERS: a bond or VLAN, if it is there yet, is in no other bridge.
need_free() {
    [ "$phase" = need ] || return 0
    free_for "/sys/class/net/$1/master" "$2" ||
        need_failed "interface $1 belongs to another bridge or bond" "See which one: ls -l /sys/class/net/$1/master. Take it out there or correct the description."
}

# free_for MASTER UPPERS: the link to a bridge or bond is not there, or is to ours.
free_for() {
    [ -e "$1" ] || return 0
    nic_master=$(readlink "$1")
    is_word "${nic_master##*/}" "$2"
}

# need_clock SECONDS: the clock is not before the day this PVE appeared, nor more than
# a day before the last run: certificates made by then would not be valid yet.
need_clock() {
    [ "$phase" = need ] || return 0
    now=$(date +%s) last_run='' last_day=''
    [ ! -r "/var/log/pvegen/$cluster.last" ] || read -r last_run last_day <"/var/log/pvegen/$cluster.last"
    case $last_run in '' | 0* | *[!0-9]*) last_run=0 ;; *) ;; esac
    case $now in '' | *[!0-9]*) now=0 ;; *) ;; esac
    if [ "$now" -lt "$1" ]; then
        need_failed 'the clock shows a day before this Proxmox VE existed' 'Set the clock, then the hardware'\''s: date -s "YYYY-MM-DD hh:mm" && hwclock --systohc'
    elif [ "$((now + 86400))" -lt "$last_run" ]; then
        need_failed "the clock is more than a day before the last run of this script ($last_day)" "See: date. If it is wrong, set it, then the hardware's: date -s \"YYYY-MM-DD hh:mm\" && hwclock --systohc. If it is right now and was wrong then: rm /var/log/pvegen/$cluster.last"
    else
        need_met 'the clock shows a possible day'
    fi
}

# need_writable DIRECTORY...: none of them is on a file system that is mounted read-only,
# as a kernel that met a broken disk leaves it. What lies on top comes last in the list.
need_writable() {
    [ "$phase" = need ] || return 0
    mounts=' '
    while read -r _ mount_point _ mount_flags _; do
        case $mount_point in
            / | /etc | /root | /var | /var/*) mounts=" $mount_point=${mount_flags%%,*}$mounts" ;;
            *) ;;
        esac
    done </proc/self/mounts
    read_only=''
    for directory in "$@"; do
        mount_point=$directory
        until [ "$mount_point" = / ]; do
            case $mounts in *" $mount_point="*) break ;; *) ;; esac
            mount_point=${mount_point%/*}
            mount_point=${mount_point:-/}
        done
        case ${mounts#*" $mount_point="} in
            'ro '*) is_word "$mount_point" "$read_only" || read_only="$read_only $mount_point" ;;
            *) ;;
        esac
    done
    if [ -z "$read_only" ]; then
        need_met 'nothing that is to be written to is mounted read-only'
    else
        need_failed "mounted read-only: ${read_only# }" 'Has the kernel met a fault of the disk? See: dmesg | tail; findmnt. Mend that first; then, or if it was mounted so on purpose: mount -o remount,rw, and the mount point'
    fi
}

# need_space DIRECTORY...: there is room for all that a run writes. Our files, their first
# copies and the log come to less than 1 MB, the database of pmxcfs with its journal and
# the copy that a join makes of it to some 10 MB, measurements and logs of the services
# to as much; what is left over keeps a node alive whose disk is filling up.
need_space() {
    [ "$phase" = need ] || return 0
    space_wanted=32 space_short='' space_first=yes
    # Without -P busybox breaks lines in two.
    spaces=$(df -P -k "$@" 2>/dev/null)
    while read -r space_line; do
        if [ -n "$space_first" ]; then
            space_first=''
            continue
        fi
        # "DEVICE SIZE USED FREE 7% /": the device may have blanks in its name.
        space_free=${space_line%"%"*}
        space_free=${space_free% *}
        while :; do
            case $space_free in *' ') space_free=${space_free% } ;; *) break ;; esac
        done
        space_free=${space_free##* }
        space_on=${space_line##*"% "}
        case $space_free in
            '' | *[!0-9]*) ;;
            *)
                space_free=$((space_free / 1024))
                if [ "$space_free" -lt "$space_wanted" ] && ! is_word "$space_on:$space_free" "$space_short"; then
                    space_short="$space_short $space_on:$space_free"
                fi
                ;;
        esac
    done <<END
$spaces
END
    if [ -z "$space_short" ]; then
        need_met "there is room: $space_wanted MB and more"
    else
        for space_on in $space_short; do
            need_failed "${space_on%:*} has ${space_on##*:} MB free; a run may need $space_wanted MB" "A full disk would break off the run, and pmxcfs with it. See what takes the room: du -xm ${space_on%:*} | sort -n | tail"
        done
    fi
}

# Services, as systemd sees them: one look at all units of the script.

# units_look UNIT...: their states into $units, a line each:
# unit id load active file-state type refuses-start condition when-looked-at
units_look() {
    if [ "${units_at:-}" != "$looks" ]; then
        units_at=$looks
        # All that the steps will ask for, with one process.
        # shellcheck disable=SC2086
        units_seen=$(units_show $unit_names)
    fi
    units=$line_break units_asked=" $* " units_ifs=$IFS
    IFS=$line_break
    for unit_line in $units_seen; do
        case $units_asked in
            *" ${unit_line%% *} "*) units=$units$unit_line$line_break ;;
            *) ;;
        esac
    done
    IFS=$units_ifs
    for unit in "$@"; do
        case $units in
            *"$line_break$unit "*) ;;
            *)
                unit_line=$(units_show "$unit")
                [ -n "$unit_line" ] || unmade "systemctl does not answer for $unit" 'Is systemd at work? See: systemctl status; journalctl -b'
                units=$units$unit_line$line_break
                ;;
        esac
    done
}

units_show() {
    systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p Type \
        -p RefuseManualStart -p ConditionResult -p ConditionTimestampMonotonic -- "$@" 2>/dev/null |
        awk -v asked="$*" '
            BEGIN { count = split(asked, unit, " "); n = 1 }
            function flush_unit() {
                if ("Id" in value) print unit[n], get("Id"), get("LoadState"), get("ActiveState"), \
                    get("UnitFileState"), get("Type"), get("RefuseManualStart"), get("ConditionResult"), \
                    get("ConditionTimestampMonotonic")
                if (seen) n++
                split("", value)
                seen = 0
            }
            function get(name) { return value[name] == "" ? "-" : value[name] }
            /^$/ { flush_unit(); next }
            { cut = index($0, "="); value[substr($0, 1, cut - 1)] = substr($0, cut + 1); seen = 1 }
            END { flush_unit() }'
}

# unit_facts UNIT: what units_look saw of it, into variables.
unit_facts() {
    unit_id=$1 unit_load=not-found unit_active=inactive unit_file=- unit_type=- unit_refuses=no unit_condition=yes
    unit_looked_at=0
    case $units in
        *"$line_break$1 "*)
            unit_words=${units#*"$line_break$1 "}
            # The line is split into its words on purpose.
            # shellcheck disable=SC2086
            unit_set ${unit_words%%"$line_break"*}
            ;;
        *) ;;
    esac
}

unit_set() {
    unit_id=$1 unit_load=$2 unit_active=$3 unit_file=$4 unit_type=$5 unit_refuses=$6 unit_condition=$7
    unit_looked_at=$8
}

# want_units required|present WHAT UNIT...: each unit is enabled and, unless WHAT
# is "boot", runs. "present": a unit that this system lacks is passed over.
want_units() {
    units_rule=$1 units_what=$2
    shift 2
    if [ "$phase" = need ]; then
        [ "$units_rule" = required ] || return 0
        units_look "$@"
        for unit in "$@"; do
            unit_facts "$unit"
            case $unit_load in
                loaded) ;;
                masked) need_failed "$unit is masked" "Somebody turned it off for good. If that is no longer meant: systemctl unmask $unit" ;;
                *) need_failed "there is no unit $unit" "The package that brings $unit is not installed, or another release of it." ;;
            esac
        done
        return 0
    fi
    units_look "$@"
    for unit in "$@"; do
        unit_facts "$unit"
        want_unit
    done
}

# One unit of want_units, its facts in the variables.
want_unit() {
    case $unit_load in
        loaded) ;;
        masked)
            point ok "$unit" 'SKIP masked by somebody: left alone'
            return 0
            ;;
        *)
            point ok "$unit" 'SKIP not on this system'
            return 0
            ;;
    esac
    unit_boots || enable_unit || return 0
    if [ "$units_what" = boot ] || [ "$unit_refuses" = yes ]; then
        [ "$unit_changed" = yes ] || same "$unit is enabled"
    elif unit_runs; then
        [ "$unit_changed" = yes ] || same "$unit is enabled and runs"
    elif [ "$unit_changed" = no ] && unit_unwanted; then
        point ok "$unit" 'SKIP its own start condition does not hold here'
    else
        start_unit
    fi
}

# Whether its own start condition was looked at and does not hold here; one that has
# to run is not excused.
unit_unwanted() {
    [ "$units_rule" = present ] && [ "$unit_condition" = no ] && [ "$unit_looked_at" != 0 ]
}

# Whether the unit comes up at boot, or is of a kind that others bring up.
unit_boots() {
    unit_changed=no
    case $unit_file in
        enabled | static | indirect | alias) return 0 ;;
        disabled | linked | linked-runtime | enabled-runtime) return 1 ;;
        # A unit made of a SysV script is "generated", or in old systemd has no state at all.
        *) systemctl is-enabled "$unit_id" >/dev/null 2>&1 ;;
    esac
}

# An alias is enabled by the unit that it stands for.
enable_unit() {
    unit_how='enable'
    if [ "$units_what" = run ] && [ "$unit_refuses" = no ] && ! unit_runs; then unit_how='enable and start'; fi
    differs "$unit" "$unit_how" || return 1
    keep_unit enable
    systemctl enable "$unit_id" >/dev/null 2>&1 ||
        stop "$unit cannot be enabled" "See why: systemctl status $unit_id; journalctl -b -u $unit_id"
    forget_looks
    unit_changed=yes
    changed "$unit" 'enabled'
}

unit_runs() {
    case "$unit_type $unit_active" in
        *' active' | *' reloading') return 0 ;;
        *) return 1 ;;
    esac
}

start_unit() {
    differs "$unit" 'start' || return 0
    keep_unit start
    forget_looks
    # One that has failed too often is not even tried any more.
    [ "$unit_active" != failed ] || systemctl reset-failed "$unit_id" >/dev/null 2>&1
    if ! run "$unit" systemctl start "$unit_id" || ! within "$limit_unit" unit_is_up "$unit_id"; then
        # The other units' states are still needed.
        units_kept=$units
        units_look "$unit"
        unit_facts "$unit"
        units=$units_kept
        if unit_unwanted; then
            point ok "$unit" 'SKIP its own start condition does not hold here'
        elif [ "$unit_type" = oneshot ] && [ "$unit_active" = inactive ]; then
            changed "$unit" 'started'
        elif [ "$units_rule" = required ]; then
            stop "$unit does not run" "See why: systemctl status $unit_id; journalctl -b -u $unit_id"
        else
            point 'not ok' "$unit does not run"
            detail help "See why: systemctl status $unit_id; journalctl -b -u $unit_id"
        fi
        return 0
    fi
    changed "$unit" 'started'
}

# Up, or plainly not going to be: a failed or finished one is not waited for.
unit_is_up() {
    case $(systemctl is-active "$1") in
        active) return 0 ;;
        activating | reloading | deactivating) return 1 ;;
        *)
            within_left=0
            return 1
            ;;
    esac
}

# unit_is_enabled: the unit comes up at boot by itself. One made of a SysV script is
# "generated", or in old systemd has no state at all.
unit_is_enabled() {
    case "$unit_load $unit_file" in
        'loaded enabled') return 0 ;;
        'loaded generated' | 'loaded -') systemctl is-enabled "$unit_id" >/dev/null 2>&1 ;;
        *) return 1 ;;
    esac
}

# want_one_at_boot UNIT...: the first of them that exists is enabled.
want_one_at_boot() {
    [ "$phase" = want ] || return 0
    units_look "$@"
    units_rule=present units_what=boot
    for unit in "$@"; do
        unit_facts "$unit"
        [ "$unit_load" = loaded ] || continue
        want_unit
        return 0
    done
    point 'not ok' "none of $* is there"
}

# pick_time_service UNIT...: the one that runs, else the first that is enabled, else the
# first that exists, into $time_service.
pick_time_service() {
    units_look "$@"
    time_running='' time_enabled='' time_there='' time_others=''
    for unit in "$@"; do
        unit_facts "$unit"
        [ "$unit_load" = loaded ] || continue
        : "${time_there:=$unit}"
        ! unit_is_enabled || : "${time_enabled:=$unit}"
        ! unit_runs || : "${time_running:=$unit}"
    done
    time_service=${time_running:-${time_enabled:-$time_there}}
    time_id=$(unit_facts "$time_service" && printf '%s' "$unit_id")
    for unit in "$@"; do
        unit_facts "$unit"
        if [ "$unit_load" != loaded ] || [ "$unit_id" = "$time_id" ]; then continue; fi
        if unit_runs || unit_is_enabled; then time_others="$time_others $unit"; fi
    done
    if [ "$phase" = need ]; then
        [ -n "$time_service" ] ||
            need_failed "there is no time service: none of $*" "Install one of them: $*"
    fi
}

# want_no_other_time_service MASKED: two would pull the clock in two directions.
want_no_other_time_service() {
    [ "$phase" = want ] || return 0
    for unit in $time_others; do
        differs "$unit" "disable and stop, for $time_service keeps the time" || continue
        unit_facts "$unit"
        keep_unit disable
        keep_unit stop
        ! is_word "$unit" "$1" || keep_unit mask
        run "$unit" systemctl disable "$unit_id"
        run "$unit" systemctl stop "$unit_id" ||
            stop "systemctl stop $unit_id failed" "See why: systemctl status $unit_id; journalctl -b -u $unit_id"
        # pve-cluster of old would pull it in again.
        ! is_word "$unit" "$1" || run "$unit" systemctl mask "$unit_id"
        forget_looks
        changed "$unit" 'disabled and stopped'
    done
}

# own_unit_gone NAME: a unit that a script has made is disabled and away, whatever systemctl
# makes of it.
own_unit_gone() {
    systemctl disable "$1.service" >/dev/null 2>&1
    rm -f "/etc/systemd/system/multi-user.target.wants/$1.service" "/etc/systemd/system/$1.service"
}

# The network as it is now, and bringing up what the files say.

# look_network: all addresses, once until a command has run.
look_network() {
    [ -n "$addresses" ] || addresses=$(ip -o addr show)
}

# What earlier looks saw does not count any more.
forget_looks() {
    looks=$((looks + 1)) addresses='' same_paths='|'
}

# has_address INTERFACE ADDRESS/PREFIX
has_address() {
    look_network
    case $addresses in
        *": $1 "*" $2 "*)
            has_address_exact "$1" "$2" ;;
        *) return 1 ;;
    esac
}

# In the list of ip -o, a line is "2: eth0    inet 10.0.0.1/24 brd ...".
has_address_exact() {
    while read -r _ address_of _ address_is _; do
        [ "$address_of $address_is" != "$1 $2" ] || return 0
    done <<END
$addresses
END
    return 1
}

# has_only_link_local INTERFACE: no address but those that IPv6 makes by itself.
has_only_link_local() {
    look_network
    while read -r _ address_of address_family address_is _; do
        [ "$address_of" = "$1" ] || continue
        case "$address_family $address_is" in
            'inet6 fe80:'*) ;;
            *) return 1 ;;
        esac
    done <<END
$addresses
END
}

# has_route GATEWAY INTERFACE: the default route. For IPv4 there is no second one:
# that is the mark of an address on two interfaces.
has_route() {
    case $1 in
        *:*) route_family=-6 ;;
        *) route_family=-4 ;;
    esac
    if [ "${routes_at:-}" != "$looks$route_family" ]; then
        routes_at=$looks$route_family
        routes_now=$(ip "$route_family" route show default)
    fi
    found=$routes_now
    case "$routes_now " in
        *"default via $1 dev $2 "*) ;;
        *) return 1 ;;
    esac
    case "$1 ${routes_now#default}" in
        *:*' '*) return 0 ;;
        *"$line_break"default*) return 1 ;;
        *) return 0 ;;
    esac
}

is_port_of() {
    [ -d "/sys/class/net/$2/brif/$1" ]
}

has_mtu() {
    [ -r "/sys/class/net/$1/mtu" ] || return 1
    read -r mtu_now <"/sys/class/net/$1/mtu"
    [ "$mtu_now" -eq "$2" ]
}

is_up() {
    [ -r "/sys/class/net/$1/flags" ] || return 1
    read -r flags_now <"/sys/class/net/$1/flags"
    [ "$((flags_now & 1))" -eq 1 ]
}

has_stp() {
    [ -r "/sys/class/net/$1/bridge/stp_state" ] || return 1
    read -r stp_now <"/sys/class/net/$1/bridge/stp_state"
    [ "$stp_now" -ne 0 ]
}

has_delay() {
    [ -r "/sys/class/net/$1/bridge/forward_delay" ] || return 1
    read -r delay_now <"/sys/class/net/$1/bridge/forward_delay"
    [ "$delay_now" -eq "$2" ]
}

# is_bonded NIC BOND
is_bonded() {
    [ -r "/sys/class/net/$2/bonding/slaves" ] || return 1
    # A bond without NICs has an empty file.
    read -r bonded_now <"/sys/class/net/$2/bonding/slaves" || bonded_now=''
    is_word "$1" "$bonded_now"
}

# has_bond_mode BOND MODE
has_bond_mode() {
    [ -r "/sys/class/net/$1/bonding/mode" ] || return 1
    read -r mode_now _ <"/sys/class/net/$1/bonding/mode"
    [ "$mode_now" = "$2" ]
}

is_vlan_aware() {
    [ -r "/sys/class/net/$1/bridge/vlan_filtering" ] || return 1
    read -r filtering_now <"/sys/class/net/$1/bridge/vlan_filtering"
    [ "$filtering_now" -ne 0 ]
}

# holds WHAT COMMAND...: a line of what must be true of the running network. Switching
# it asks first which of them are not ($holds_wrong); at the end all of them must be.
holds() {
    holds_what=$1
    shift
    if [ -z "${probing:-}" ]; then
        expect "$holds_what" "$limit_network" 'See what there is: ip addr; ip route; bridge link. What stood in the files first is under /var/lib/pvegen.' "$@"
        return 0
    fi
    # Said before it is asked: whoever waits for an answer may be cut short.
    [ "$probing" != proof ] || printf '%s' "$holds_wrong$holds_what$line_break" >"$switch_dir/seen"
    "$@" || holds_wrong="$holds_wrong$holds_what$line_break"
}

# has_guests BRIDGES: guests are plugged in ($guests); they lose their network when
# the bridge goes down, and nobody plugs them in again. Guests with a VLAN of their
# own are on a bridge beside it: vmbr0v10.
has_guests() {
    guests=''
    for guests_bridge in $1; do
        for port in "/sys/class/net/$guests_bridge/brif"/* "/sys/class/net/${guests_bridge}v"*/brif/*; do
            case ${port##*/} in
                tap* | veth* | fwpr* | fwln*) guests="$guests ${port##*/}" ;;
                *) ;;
            esac
        done
    done
    guests=${guests# }
    [ -n "$guests" ]
}

# all_bridges: those that are there, into $all_bridges.
all_bridges() {
    all_bridges=''
    for guests_bridge in /sys/class/net/*/bridge; do
        guests_bridge=${guests_bridge%/bridge}
        [ ! -d "$guests_bridge/bridge" ] || all_bridges="$all_bridges ${guests_bridge##*/}"
    done
    all_bridges=${all_bridges# }
}

# answers ADDRESS [INTERFACE]: it answers a ping, or has told its hardware address just now (an
# entry of before turns from STALE to REACHABLE or FAILED while it is asked).
answers() {
    choose_ping "$1"
    # A link-local address is one on each interface.
    # Within the first second a bridge may not forward yet, and the hardware address is asked
    # once a second. With -c 4 an answer takes three seconds, too.
    "$ask_ping" -c 1 -W 2 ${2:+-I "$2"} "$1" >/dev/null 2>&1 && return 0
    "$ask_ping" -c 4 -W 1 ${2:+-I "$2"} "$1" >/dev/null 2>&1 && return 0
    "$ask_ping" -c 4 -W 1 ${2:+-I "$2"} "$1" >/dev/null 2>&1 && return 0
    found=$(ip neigh show to "$1" ${2:+dev "$2"})
    case $found in
        *' REACHABLE' | *' PERMANENT' | *' REACHABLE '* | *' PERMANENT '*) return 0 ;;
        *) return 1 ;;
    esac
}

# choose_ping ADDRESS: sets $ask_ping to the command that asks it.
choose_ping() {
    ask_ping=ping
    case $1 in
        # Old systems have a command of its own for IPv6, new ones may not.
        *:*) ! command -v ping6 >/dev/null 2>&1 || ask_ping=ping6 ;;
        *) ;;
    esac
}

# uses_nameserver ADDRESS
uses_nameserver() {
    [ -r /etc/resolv.conf ] || return 1
    while read -r resolv_word resolv_server _; do
        [ "$resolv_word $resolv_server" != "nameserver $1" ] || return 0
    done </etc/resolv.conf
    return 1
}

# takes_nameservers ADDRESS...: dns-nameservers come into /etc/resolv.conf, by resolvconf,
# or need not, for they are there. Neither ifupdown nor ifupdown2 does it by itself.
takes_nameservers() {
    ! command -v resolvconf >/dev/null 2>&1 || return 0
    for name_server in "$@"; do
        uses_nameserver "$name_server" || return 1
    done
}

# The network is switched as a transaction. Before anything changes, a timer that outlives
# this run and its login is armed: it puts the old network back, unless the new one was
# proved by then. Where the switch stands is the name of one file in $switch_dir, and a
# rename decides, so that of two that would decide one wins:
#   trying -> keeping -> kept, or trying -> reverting -> reverted.
# /run/pvegen/network is there while what runs may be the new network: a reboot takes it away.

# switch_network: network_files are in place and network_state holds.
switch_network() {
    look_at_network
    if [ "$phase" = need ]; then
        network_files
        if [ -n "$holds_wrong" ] && [ "$activate" = now ] && switch_hits_guests; then
            need_failed "guests are plugged into $bridges_down: $guests" 'The bridge would go down and nobody plugs them in again. Move or shut down the guests of this node first, or let the change wait for the next boot: apply --activate reboot.'
        fi
        if [ "$call" = apply ] && [ -n "$step_differs$holds_wrong" ] && [ ! -f "$script_file" ]; then
            need_failed 'this script is read from a file' 'The network is switched by a copy of the script that outlives your login. Put the script into a file and call that: sh FILE apply'
        fi
        return 0
    fi
    [ ! -d "$switch_dir" ] || tell 'An earlier run'\''s switch of the network is not decided yet: apply waits for its end and goes on.'
    if [ "$call" = apply ]; then
        staged='' stage=look
        network_files
        stage=''
        if [ -z "$staged$holds_wrong" ] && ! is_pending network; then
            network_files
        elif [ -z "$holds_wrong" ] && [ "$activate" = now ] && switch_hits_guests; then
            # Only how the files are written has changed: not worth the guests' network.
            network_files
            same 'the running network is as described; with guests on the bridge the files wait for the next start'
        else
            switch_over
        fi
    else
        network_files
        switch_shown
    fi
    network_state
    [ "$call" != apply ] || rm -f "$state_dir/pending/network"
}

# switch_hits_guests: guests are on a bridge that the switch takes down.
switch_hits_guests() {
    network_takes_down
    has_guests "$bridges_down"
}

# What check and verify say of the running network.
switch_shown() {
    if [ "$call" = verify ]; then
        ! is_pending network || point 'not ok' 'the network'\''s files changed, and the network was not brought up since: apply does it'
    elif [ -n "$holds_wrong" ] || is_pending network; then
        if [ -z "$holds_wrong" ] && switch_hits_guests; then
            same 'the running network is as described; with guests on the bridge the files wait for the next start'
        else
            differs 'running network' 'switch it, with a timer that puts the old one back unless the new one is proved'
            [ -z "$holds_wrong" ] || detail missing "$holds_wrong"
        fi
    fi
}

# look_at_network: what is not as described in the running network, into $holds_wrong.
look_at_network() {
    holds_wrong=''
    probing=yes
    network_state
    probing=''
}

# switch_over: the whole transaction; what comes after it stands on the new network.
switch_over() {
    switch_goal=apply
    network_manner
    undo=switch_forget
    switch_record || cannot_write "$switch_dir"
    mark_pending
    network_stage
    switch_run
    changed 'running network' 'the new one is proved and kept'
    network_files_after
    switch_end
    forget_looks
}

# switch_run: the old network comes back from here on unless the new one is proved; ends the
# run where it is not.
switch_run() {
    switch_write trying "$switch_manner $confirm_within $confirm $activate $switch_goal" || cannot_write "$switch_dir"
    if [ "$activate" = reboot ] || network_needs_guard; then
        boot_guard || stop 'no unit could be enabled that would put the old network back at the next boot' 'The network was not touched. See: systemctl status; df -h /etc /run /var/lib'
    fi
    if [ "$activate" = reboot ]; then switch_at_boot; fi
    # The login over this very network may die, now or later: that must not stop us.
    hup_ignored=yes
    trap '' HUP
    if ! detach pvegen-network-back "$confirm_within" network-back || ! part_runs pvegen-network-back; then
        stop 'no timer could be armed that would put the old network back' 'The network was not touched. See: systemctl status; df -h /etc /run /var/lib'
    fi
    undo=switch_undo
    same "a timer of $confirm_within s puts the old network back unless the new one is proved"
    [ -z "$switch_mute" ] || note "$switch_mute, from where you are logged in, answers no ping: it cannot be a part of the proof."
    note 'The network is switched now: a login over it may stop for some seconds.'
    detach pvegen-network-try 0 network-try || stop 'the switch could not be started in the background'
    [ "$confirm" != manual ] || tell "The new network is being brought up. Log in anew over it and keep it within $confirm_within s: sh $again confirm. Else the old one comes back."
    switch_wait
    # The detached part has written the store anew.
    undo='' index=''
    switch_report
    forget_looks
    if [ ! -e "$switch_dir/kept" ]; then
        switch_seen
        switch_end
        stop "the new network was not proved within $confirm_within s; the old one is back" \
            "Seen last: $switch_seen Is the cable in the right port, the VLAN right, the gateway up? More time: --confirm-within SECONDS. To judge it yourself over a new login: apply --confirm manual"
    fi
}

# With --activate reboot only files change; the run ends here.
switch_at_boot() {
    undo=switch_undo
    network_files_for_reboot
    undo=''
    changed 'running network' 'the new one comes with the next boot, under a timer that puts the old one back'
    end_part_way 'the new network waits for the next boot: reboot, then apply again'
}

# switch_record: what was there before: who answers, the running network as commands that
# bring it back, and this script for those that run when we are gone.
switch_record() {
    rm -rf "$switch_dir"
    (umask 077 && mkdir -p "$switch_dir/old" /run/pvegen) || return 1
    rm -f /run/pvegen/network /run/pvegen/seen
    { cp "$script_file" "$switch_dir/script.sh" && chmod 600 "$switch_dir/script.sh"; } || return 1
    # Another version may have been put in its place meanwhile.
    is_whole "$switch_dir/script.sh" || stop "$script is not the script any more that runs here" 'It was replaced, edited or removed meanwhile. The network was not touched: run it again.'
    printf '%s\n%s\n' "$network_interfaces" "$network_made" >"$switch_dir/names" || return 1
    record_running >"$switch_dir/undo" || return 1
    [ ! -f /etc/resolv.conf ] || [ -L /etc/resolv.conf ] || cp -p /etc/resolv.conf "$switch_dir/resolv.conf" || return 1
    network_old || return 1
    record_answers
    flush_all
}

# record_running: the links, addresses and routes of our interfaces, as commands.
record_running() {
    for made in $network_made; do
        [ -d "/sys/class/net/$made" ] || printf 'ip address flush dev %s\nip link delete %s\n' "$made" "$made"
    done
    for made in $network_interfaces; do
        [ -d "/sys/class/net/$made" ] || continue
        if [ -e "/sys/class/net/$made/master" ]; then
            made_master=$(readlink "/sys/class/net/$made/master")
            printf 'ip link set %s master %s\n' "$made" "${made_master##*/}"
        else
            printf 'ip link set %s nomaster\n' "$made"
        fi
        ! has_stp "$made" || printf 'ip link set %s type bridge stp_state 1\n' "$made"
        ! read -r made_mtu <"/sys/class/net/$made/mtu" || printf 'ip link set %s mtu %s\n' "$made" "$made_mtu"
        ! is_up "$made" || printf 'ip link set %s up\n' "$made"
    done
    ip -o addr show | addresses_of | sed 's/^/ip address add /'
    for family in 4 6; do
        ip "-$family" route show | routes_of | sed "s/^/ip -$family route replace /"
    done
}

# addresses_of: of the list of ip -o addr, the addresses of our interfaces, as ip takes them.
addresses_of() {
    awk -v names=" $network_interfaces " '
        index(names, " " $2 " ") && ($3 == "inet" || ($3 == "inet6" && $4 !~ /^fe80:/)) {
            line = $4
            for (i = 5; i < NF && ($i == "peer" || $i == "brd"); i += 2) line = line " " $i " " $(i + 1)
            print line " dev " $2 ($3 == "inet6" ? " nodad" : "")
        }'
}

# routes_of: of the list of ip route, those over our interfaces that somebody set.
routes_of() {
    awk -v names=" $network_interfaces " '
        / proto (kernel|ra)/ && !/^default/ || /[^A-Za-z0-9 .:\/_-]/ { next }
        {
            line = device = ""
            for (i = 1; i <= NF; i++) {
                if ($i == "dev") device = $(i + 1)
                if ($i != "linkdown" && $i != "dead" && $i != "offload") line = line " " $i
            }
            if (!index(names, " " device " ")) next
            # A gateway that only a route leads to needs that one first.
            if (/^default/) last = last substr(line, 2) "\n"
            else if (/ via /) via = via substr(line, 2) "\n"
            else print substr(line, 2)
        }
        END { printf "%s", via last }'
}

# record_answers: which other nodes answer now, and whether the administrator's address
# does; whoever answers before must answer after. Who administers and does not is in
# $switch_mute.
record_answers() {
    true >"$switch_dir/answered"
    admin_address
    gateway_now=''
    # Where the description says none, or another state than the described one is to come.
    if [ -n "$network_keeps" ] || [ "$switch_goal" = rollback ]; then
        gateway_now=$(ip -4 route show default | awk 'NR == 1 { print $3 }')
    fi
    for asked in $network_peers $gateway_now $admin; do
        # All are asked at once: one that is down costs two seconds, not two for each.
        {
            choose_ping "$asked"
            ! "$ask_ping" -c 1 -W 2 "$asked" >/dev/null 2>&1 || printf '%s\n' "$asked" >>"$switch_dir/answered"
        } 8>&- 9>&- &
    done
    wait
    switch_mute=''
    [ -z "$admin" ] || grep -q -F -x -e "$admin" "$switch_dir/answered" || switch_mute=$admin
}

# admin_address: where this run is administered from, by the ssh login that it descends
# from (sudo takes the variable away, but not from its parent), into $admin.
admin_address() {
    admin='' admin_pid=$$
    while [ "${admin_pid:-0}" -gt 1 ] && [ -z "$admin" ]; do
        admin=$(tr '\0' '\n' 2>/dev/null <"/proc/$admin_pid/environ" | sed -n 's/^SSH_CONNECTION=\([0-9A-Fa-f:.]*\) .*/\1/p')
        admin_pid=$(awk '$1 == "PPid:" { print $2 }' "/proc/$admin_pid/status" 2>/dev/null)
    done
}

# switch_write NAME TEXT: a file of the switch, whole and on the disk.
switch_write() {
    printf '%s\n' "$2" >"$switch_dir/.new" && flush "$switch_dir/.new" && mv -f "$switch_dir/.new" "$switch_dir/$1"
}

# switch_read: how the switch under way is done.
switch_read() {
    for switch_at in trying keeping reverting kept reverted; do
        [ -r "$switch_dir/$switch_at" ] || continue
        read -r switch_manner switch_within switch_confirm switch_activate switch_goal <"$switch_dir/$switch_at"
        switch_names
        [ "$switch_goal" != rollback ] || find_roll_paths bridge
        return 0
    done
    return 1
}

# switch_names: the interfaces of the switch under way. Another description's script, which
# may bring it to its end, has others of its own.
switch_names() {
    [ ! -s "$switch_dir/names" ] || { read -r network_interfaces && read -r network_made; } <"$switch_dir/names"
}

# detach NAME SECONDS CALL: this script is called so after that time, by a process that
# our end, the terminal's and the login's do not touch.
detach() {
    if by_systemd; then
        systemctl stop "$1.timer" >/dev/null 2>&1
        systemctl reset-failed "$1.service" >/dev/null 2>&1
        if [ "$2" = 0 ]; then
            systemd-run --unit="$1" /bin/sh "$switch_dir/script.sh" "$3" >/dev/null 2>&1
        else
            systemd-run --unit="$1" --on-active="$2" --timer-property=AccuracySec=1s \
                /bin/sh "$switch_dir/script.sh" "$3" >/dev/null 2>&1
        fi
        return
    fi
    detach_by=''
    ! command -v setsid >/dev/null 2>&1 || detach_by=setsid
    (
        trap '' HUP
        # shellcheck disable=SC2086
        exec $detach_by env "pvegen_after=$2" /bin/sh "$switch_dir/script.sh" "$3" </dev/null >>"$switch_dir/log" 2>&1 8>&- 9>&-
    ) &
    detached=$!
    started "$detached"
    printf '%s\n' "$detached $start_time" >"/run/pvegen/$1"
}

by_systemd() {
    [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1
}

# part_runs NAME: what was detached under this name waits or runs.
part_runs() {
    if by_systemd; then
        systemctl is-active "$1.timer" "$1.service" 2>/dev/null | grep -q -x -e active -e activating
    else
        part_pid=''
        [ ! -r "/run/pvegen/$1" ] || read -r part_pid part_start <"/run/pvegen/$1"
        # Its number may be another process's by now.
        [ -n "$part_pid" ] && started "$part_pid" && [ "$start_time" = "$part_start" ]
    fi
}

# apart COMMAND...: in a control group of its own. What it leaves running, such as what keeps
# a lease, would end with the detached part, and the address some hours later. $apart_limit
# goes before it.
apart() {
    if by_systemd; then
        apart_count=$((${apart_count:-0} + 1))
        apart_unit=pvegen-network-$$-$apart_count
        printf '%s\n' "$apart_unit.scope" >/run/pvegen/apart
        # shellcheck disable=SC2086
        run network $apart_limit systemd-run --scope --unit="$apart_unit" "$@"
        # With 1 it may not have got so far as to run it.
        # shellcheck disable=SC2086
        [ "$run_status" -ne 1 ] || run network $apart_limit "$@"
    else
        # shellcheck disable=SC2086
        run network $apart_limit "$@"
    fi
}

# stop_try: what brings the new network up is ended, wherever it is.
stop_try() {
    stop_part pvegen-network-try
    [ -r /run/pvegen/apart ] || return 0
    read -r apart_unit </run/pvegen/apart
    systemctl kill --signal=KILL "$apart_unit" >/dev/null 2>&1
    rm -f /run/pvegen/apart
}

# stop_part NAME: it neither waits nor runs any more.
stop_part() {
    if by_systemd; then
        systemctl stop "$1.timer" >/dev/null 2>&1
        systemctl stop "$1.service" >/dev/null 2>&1
        systemctl reset-failed "$1.service" >/dev/null 2>&1
    elif part_runs "$1"; then
        # Where it leads a session, what it has started goes with it.
        kill -- "-$part_pid" 2>/dev/null || kill "$part_pid" 2>/dev/null
    fi
    rm -f "/run/pvegen/$1"
}

# switch_wait: until the detached parts have decided.
switch_wait() {
    switch_polls=0 switch_gone=0
    until [ -e "$switch_dir/kept" ] || [ -e "$switch_dir/reverted" ]; do
        sleep 0.2 2>/dev/null || sleep 1
        # Whether they are there is asked once a second.
        switch_polls=$((switch_polls + 1))
        [ "$((switch_polls % 5))" -eq 0 ] || continue
        # The timer decides at the end, the try before it; if one is killed the other is left.
        if part_runs pvegen-network-back || { [ ! -e "$switch_dir/trying" ] && part_runs pvegen-network-try; }; then
            switch_gone=0
            continue
        fi
        # A busy systemd may miss an answer; two at work at once would undo one another.
        switch_gone=$((switch_gone + 1))
        [ "$switch_gone" -ge 3 ] || continue
        switch_take_over
        # Nothing can be renamed: what runs is the old network, and that is all.
        [ ! -e "$switch_dir/trying" ] || return 0
    done
}

# switch_take_over: whoever was to bring the switch to its end is gone: it is done here.
switch_take_over() {
    if take_back; then
        stop_try
        into_log restore_network
    elif [ -e "$switch_dir/reverting" ]; then
        into_log restore_network
    elif [ -e "$switch_dir/keeping" ]; then
        # After a power cut the new network is there only if it was kept for good.
        [ ! -e /run/pvegen/network ] || network_commit
        if network_is_kept; then
            mv "$switch_dir/keeping" "$switch_dir/kept"
        else
            mv "$switch_dir/keeping" "$switch_dir/reverting" && into_log restore_network
        fi
    fi
}

# log_opens: the log of the switch can be written: not on a disk that has turned read-only.
log_opens() {
    { true >>"$switch_dir/log"; } 2>/dev/null
}

into_log() {
    if log_opens; then "$@" >>"$switch_dir/log" 2>&1; else "$@" >/dev/null 2>&1; fi
}

# switch_report: what the detached parts did, for the reader and the log.
switch_report() {
    [ -r "$switch_dir/log" ] || return 0
    while IFS= read -r report_line; do
        report_line=${report_line#    }
        note "${report_line#"# "}"
    done <"$switch_dir/log"
}

# switch_seen: what was last seen not to be so, into $switch_seen.
switch_seen() {
    switch_seen='nothing that is wrong: it was not confirmed in time, or was cut short.'
    for seen_file in /run/pvegen/seen "$switch_dir/seen"; do
        [ ! -s "$seen_file" ] || switch_seen=$(tr '\n' ';' <"$seen_file")
    done
}

# switch_undo: this run ends within the switch: the old network comes back now.
switch_undo() {
    undo=''
    [ ! -e "$switch_dir/trying" ] || switch_take_over
    [ ! -e "$switch_dir/reverted" ] || switch_end
}

# switch_forget: this run ends before the switch has touched the network.
switch_forget() {
    undo=''
    network_unstage
    switch_end
}

# switch_end: nothing of a decided switch is left.
switch_end() {
    stop_part pvegen-network-back
    stop_part pvegen-network-try
    no_boot_guard
    rm -f "$state_dir/pending/network" /run/pvegen/network /run/pvegen/seen /run/pvegen/apart
    rm -rf "$switch_dir"
}

# settle_last_switch: a switch of a run that is gone is decided before anything else.
settle_last_switch() {
    # One that was begun under another name of the cluster uses the same units and files.
    for other_switch in /var/lib/pvegen/*/network; do
        if [ "$other_switch" = "$switch_dir" ] || [ ! -e "$other_switch/script.sh" ]; then continue; fi
        /bin/sh "$other_switch/script.sh" network-settle 8>&- 9>&- || refuse "the script of another cluster has a switch of the network under way; see $other_switch/log"
    done
    [ -d "$switch_dir" ] || return 0
    own_interfaces=$network_interfaces own_made=$network_made
    settle_switch
    network_interfaces=$own_interfaces network_made=$own_made
}

settle_switch() {
    if ! switch_read; then
        # Killed before it had begun to switch.
        switch_names
        switch_manner=profile
        network_unstage
        switch_end
        return 0
    fi
    if [ -e "$switch_dir/trying" ] && [ "$switch_activate" = reboot ] && [ "$call" = apply ]; then
        refuse 'the new network waits for the next boot: reboot, then apply again'
    elif [ -e "$switch_dir/trying" ] && [ ! -e /run/pvegen/network ] && ! part_runs pvegen-network-try; then
        switch_take_over
    elif [ -e "$switch_dir/trying" ] && [ "$switch_confirm" = manual ] && part_runs pvegen-network-back; then
        refuse "a new network waits to be kept: sh $again confirm; else the old one comes back by itself"
    else
        remark "An earlier run is switching the network; it is decided within $switch_within s."
        switch_wait
    fi
    if [ -e "$switch_dir/kept" ]; then
        if [ "$switch_goal" = rollback ]; then
            # The store lets go of what it kept, as that rollback would have done.
            settle_quiet=$quiet quiet=yes
            network_files_back
            quiet=$settle_quiet
        else
            network_adopt || cannot_write "$switch_dir"
        fi
        remark 'The switch of the network that an earlier run began is done: the new network was proved.'
    else
        switch_seen
        remark "The switch of the network that an earlier run began was taken back. Seen last: $switch_seen"
    fi
    switch_end
    forget_looks
}

# What follows runs detached --------------------------------------------------------
#
# switch_part: the detached parts of the switch, by the call.
switch_part() {
    switch_part=$call
    begin_call bridge
    quiet=''
    if [ "$switch_part" = network-settle ]; then
        settle_switch
        return 0
    fi
    trap '' HUP PIPE
    [ -d "$switch_dir" ] || exit 0
    if log_opens; then exec >>"$switch_dir/log" 2>&1; fi
    [ "${pvegen_after:-0}" = 0 ] || sleep "$pvegen_after"
    switch_read || exit 0
    case $switch_part in
        network-try)
            undo=try_failed
            network_runs_anew
            switch_do
            network_is_up
            network_prove
            ;;
        network-prove) network_prove ;;
        network-back) switch_back ;;
        *) network_boot ;;
    esac
}

# switch_back: the time is over. Whoever was taking it back already may be gone half way.
switch_back() {
    if take_back; then
        stop_try
        restore_network
    else
        back_left=150
        while [ -e "$switch_dir/reverting" ] && [ "$back_left" -gt 0 ]; do
            sleep 1
            back_left=$((back_left - 1))
        done
        [ ! -e "$switch_dir/reverting" ] || restore_network
    fi
}

# take_back: nobody has decided yet, and the old network comes back. On a disk that has
# turned read-only nobody else can decide.
take_back() {
    mv "$switch_dir/trying" "$switch_dir/reverting" 2>/dev/null || [ -e "$switch_dir/trying" ]
}

# network_runs_anew: from now on what runs may be the new network.
network_runs_anew() {
    (umask 077 && mkdir -p /run/pvegen) && true >/run/pvegen/network
}

# network_is_up: the new one, so that it may be kept.
network_is_up() {
    printf 'up\n' >/run/pvegen/network
}

switch_do() {
    apart_limit=''
    for made in $network_bridges; do
        # While STP is on, the kernel takes no forward delay of 0.
        ! has_stp "$made" || run network ip link set dev "$made" type bridge stp_state 0
    done
    network_do
}

# switch_files: what the switch puts in place. What the store has stays until the switch
# is decided.
switch_files() {
    on_change network
    if [ "$switch_goal" = rollback ]; then
        keeps_store=yes
        network_files_back
        keeps_store=''
    else
        network_files
    fi
    on_change ''
}

# try_failed: the files could not be put in place: not worth waiting for the timer.
try_failed() {
    undo=''
    ! take_back || restore_network
}

# network_prove: until the new network is proved and kept, or somebody decides otherwise.
network_prove() {
    while [ -e "$switch_dir/trying" ]; do
        if is_proved && [ "$switch_confirm" != manual ]; then
            switch_keep
            return
        fi
        sleep 1
    done
}

# is_proved: carrier, addresses where they belong and nowhere else, the gateway answers,
# and so does everyone who did before.
is_proved() {
    forget_looks
    holds_wrong=''
    probing=proof
    if [ "$switch_goal" = rollback ]; then
        holds 'an interface has an address' has_global_address
    else
        network_proof
    fi
    while [ -z "$holds_wrong" ] && read -r asked; do
        holds "$asked answers, as it did before" answers "$asked"
    done <"$switch_dir/answered"
    probing=''
    [ -z "$holds_wrong" ] && rm -f "$switch_dir/seen"
}

# switch_keep: the new network stays, unless the timer was faster.
switch_keep() {
    if ! switch_why=$(mv "$switch_dir/trying" "$switch_dir/keeping" 2>&1); then
        # The disk may be full: then it is taken back, and that is why. Memory has room.
        [ ! -e "$switch_dir/trying" ] || printf '%s\n' "$switch_why" >/run/pvegen/seen
        return 1
    fi
    stop_part pvegen-network-back
    if network_commit; then
        mv "$switch_dir/keeping" "$switch_dir/kept"
    else
        mv "$switch_dir/keeping" "$switch_dir/reverting" && restore_network
    fi
}

# restore_network: the old network, files first, then what runs; explicit steps at the end, for
# what the network's own commands left out.
restore_network() {
    switch_read
    # One that hangs does not hold it up.
    apart_limit='timeout -k 5 60'
    network_undo
    apart_limit=''
    # What was ended while it wrote them has left these.
    rm -f "$state_dir/index.new" "$state_dir/first/etc/net/ifaces"/*/*.new "$state_dir/written/etc/net/ifaces"/*/*.next
    if [ -e /run/pvegen/network ]; then
        remove_strangers
        /bin/sh "$switch_dir/undo" 2>/dev/null
        [ ! -f "$switch_dir/resolv.conf" ] || [ -L /etc/resolv.conf ] ||
            cmp -s "$switch_dir/resolv.conf" /etc/resolv.conf || cp -p "$switch_dir/resolv.conf" /etc/resolv.conf
    fi
    mv "$switch_dir/reverting" "$switch_dir/reverted"
}

# set_back OLD PATH: the old file is in its place again.
set_back() {
    temporary_of "$2"
    rm -f "$temporary"
    # On a full disk one more name for the same file needs no room.
    { cp -a "$1" "$temporary" && flush "$temporary"; } || { rm -f "$temporary" && ln "$1" "$temporary"; }
    mv -f "$temporary" "$2"
    temporary=''
}

# remove_strangers: addresses and routes of our interfaces that were not there before.
remove_strangers() {
    ip -o addr show | addresses_of | while read -r stranger; do
        # A line is made of words on purpose.
        # shellcheck disable=SC2086
        grep -q -F -x -e "ip address add $stranger" "$switch_dir/undo" || ip address del ${stranger% nodad}
    done
    ip -4 route show default | routes_of | while read -r stranger; do
        # shellcheck disable=SC2086
        grep -q -F -x -e "ip -4 route replace $stranger" "$switch_dir/undo" || ip -4 route del $stranger
    done
}

# network_boot: at boot, before the network: a switch that the last boot left undecided
# is taken back; one that waits for this boot begins.
network_boot() {
    if [ -e "$switch_dir/trying" ] && [ "$switch_activate" = reboot ] &&
        detach pvegen-network-back "$((switch_within + 60))" network-back && part_runs pvegen-network-back; then
        # Another boot without a decision is a failure.
        switch_write trying "$switch_manner $switch_within $switch_confirm now $switch_goal"
        network_runs_anew
        network_is_up
    elif mv "$switch_dir/trying" "$switch_dir/reverting" 2>/dev/null || [ -e "$switch_dir/reverting" ]; then
        restore_network
    fi
}

# boot_guard: installed and seen enabled: what looks at the switch at the next boot.
boot_guard() {
    guard_unit pvegen-network network-boot oneshot "DefaultDependencies=no
RequiresMountsFor=$switch_dir
After=local-fs.target
Wants=network-pre.target
Before=network-pre.target network.service networking.service ifupdown2.networking.service" || return 1
    [ "$activate" != reboot ] || guard_unit pvegen-network-proof network-prove simple \
        'After=pvegen-network.service network.service networking.service ifupdown2.networking.service' || return 1
}

# guard_unit NAME CALL TYPE ORDER
guard_unit() {
    # A link is somebody's: masked, or to a file that we would write to.
    [ ! -L "/etc/systemd/system/$1.service" ] || return 1
    cat >"/etc/systemd/system/$1.service" <<END || return 1
[Unit]
Description=The switch of the network that pvegen began
ConditionPathExists=|$switch_dir/trying
ConditionPathExists=|$switch_dir/reverting
$4
[Service]
Type=$3
ExecStart=/bin/sh $switch_dir/script.sh $2
[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl enable "$1.service" >/dev/null 2>&1 && systemctl is-enabled "$1.service" >/dev/null 2>&1 && flush_all
}

no_boot_guard() {
    for guard in pvegen-network pvegen-network-proof; do
        if [ -L "/etc/systemd/system/$guard.service" ]; then continue; fi
        if [ -e "/etc/systemd/system/$guard.service" ] || [ -L "/etc/systemd/system/multi-user.target.wants/$guard.service" ]; then
            own_unit_gone "$guard"
        fi
    done
}

# confirm: the administrator has logged in over the new network and says so.
confirm_switch() {
    begin_call bridge
    only_here
    if ! switch_read || [ ! -e "$switch_dir/trying" ]; then
        printf '%s\n' 'no new network waits to be kept' >&2
        exit 1
    elif [ ! -e /run/pvegen/network ]; then
        printf '%s\n' 'the new network waits for the next boot: reboot, then apply again' >&2
        exit 1
    fi
    if [ ! -s /run/pvegen/network ]; then
        printf '%s\n' 'the new network is still being brought up: confirm again in some seconds' >&2
        exit 1
    fi
    if ! is_proved; then
        switch_seen
        printf '%s\n' "Not as described: $switch_seen"
    fi
    if ! switch_keep; then
        if [ -e "$switch_dir/trying" ]; then
            printf '%s\n' "The new network could not be kept: $switch_why. Mend that, and confirm again before the time is over." >&2
        else
            printf '%s\n' 'too late: the old network is coming back' >&2
        fi
        exit 1
    fi
    printf '%s\n' "The new network is kept. The run that switched it goes on; if it is gone: sh $again apply"
}

has_carrier() {
    # Of an interface that is down it cannot be read.
    read -r carrier_now 2>/dev/null <"/sys/class/net/$1/carrier" && [ "$carrier_now" = 1 ]
}

# How /etc/network/interfaces is switched: it is one file, replaced by a rename; the next boot
# puts the old one back where the new one was not proved. ifupdown2 applies it as it is
# ("reload"). Classic ifupdown takes down by the old file what is up, and brings up by the new
# one ("restart"): it has no ifreload, and ifdown by the new file does not know the old bridges.

network_manner() {
    if is_classic; then switch_manner=restart; else switch_manner=reload; fi
}

is_classic() {
    ! command -v ifreload >/dev/null 2>&1
}

# network_takes_down: ifreload leaves alone what is as the file says; ifdown takes all down.
network_takes_down() {
    bridges_down=$network_bridges
    ! is_classic || { all_bridges && bridges_down=$all_bridges; }
}

# ifupdown_names: what classic ifupdown has brought up, the last one first, but for the
# loopback, into $names_up.
ifupdown_names() {
    names_up=$(ifquery --state 2>/dev/null) || return 1
    names_up=$(printf '%s\n' "$names_up" |
        awk -F '=' '$1 != "" && $1 != "lo" { line = $1 (line == "" ? "" : " " line) } END { print line }')
}

# ifupdown_down: by the file as it is, what is up.
ifupdown_down() {
    ifupdown_names
    # A line is made of words on purpose.
    # shellcheck disable=SC2086
    [ -z "$names_up" ] || apart ifdown $names_up
}

# ifupdown_up: what the file brings up at boot, and of the rest what was up before: what a
# cable or somebody has brought up.
ifupdown_up() {
    apart ifup -a
    names_up=''
    [ ! -s "$switch_dir/old/up" ] || read -r names_up <"$switch_dir/old/up"
    # shellcheck disable=SC2086
    [ -z "$names_up" ] || apart ifup $names_up
}

network_needs_guard() {
    [ -n "$staged" ]
}

network_old() {
    if [ "$switch_manner" = restart ]; then
        { ifupdown_names && printf '%s\n' "$names_up" >"$switch_dir/old/up"; } || return 1
    fi
    [ ! -e /etc/network/interfaces ] || cp -a /etc/network/interfaces "$switch_dir/old/interfaces"
}

network_stage() {
    return 0
}

network_unstage() {
    return 0
}

network_files_for_reboot() {
    switch_files
    cp -p /etc/network/interfaces "$switch_dir/new" || cannot_write "$switch_dir"
}

network_do() {
    if [ "$switch_manner" = restart ]; then
        ifupdown_down
        switch_files
        ifupdown_up
    else
        switch_files
        apart ifreload -a
    fi
}

network_commit() {
    return 0
}

network_is_kept() {
    return 0
}

network_files_after() {
    return 0
}

network_adopt() {
    return 0
}

network_undo() {
    # Before the file that knows how goes away. What was killed half way is gone by now.
    if [ "$switch_manner" = restart ] && [ -e /run/pvegen/network ]; then ifupdown_down; fi
    # What was killed while it put the new one in place has left it beside.
    rm -f /etc/network/.interfaces.pvegen
    if [ ! -e "$switch_dir/old/interfaces" ]; then
        rm -f /etc/network/interfaces
    elif ! cmp -s "$switch_dir/old/interfaces" /etc/network/interfaces; then
        # Days may have gone by until the boot, and somebody may have edited it.
        [ ! -e "$switch_dir/new" ] || cmp -s "$switch_dir/new" /etc/network/interfaces ||
            cp -a /etc/network/interfaces /etc/network/interfaces.taken-back
        set_back "$switch_dir/old/interfaces" /etc/network/interfaces
    fi
    flush_all
    [ -e /run/pvegen/network ] || return 0
    if [ "$switch_manner" = restart ]; then ifupdown_up; else apart ifreload -a; fi
}

# stage_file PATH: all that is asked here is whether the file would change.
stage_file() {
    staged=yes
}

# /etc/network/interfaces: our stanzas in place of those that were there for the
# same interfaces, all others kept.

# want_interfaces PATH NAMES KEPT [mirror] <<END: NAMES are the interfaces that the
# lines are for; KEPT is the bridge, then its port: what they have had is taken over
# where the lines say @method@, @options@ or @dns@. Addresses that would be lost are a
# reason to refuse, but not in a mere mirror of the configuration.
want_interfaces() {
    want_edited "$1" interfaces_filter "$2" "$3" "${4:-}"
}

interfaces_filter() {
    awk -v names="$1" -v kept="$2" -v mirror="$3" -v mode="$4" -v tag="pvegen $cluster" '
        BEGIN {
            count = split(names, name, " ")
            for (i = 1; i <= count; i++) ours[name[i]] = 1
            split(kept, keep, " ")
        }
        part == "want" {
            want[++wanted] = $0
            if ($1 == "iface") stated[$2, $3] = 1
            if ($1 == "address") described[bare($2)] = 1
            if ($0 == "@options@") takes_over = 1
            next
        }
        { have = have $0 "\n"; sub(/\r$/, "") }
        # What stands between our marks and is not described any more is gone.
        $0 == "# BEGIN " tag { inside = 1; next }
        $0 == "# END " tag { inside = 0; stanza = ""; next }
        # A line that ends in a backslash goes on in the next one.
        more { more = /\\$/; take($0); next }
        { more = /\\$/ }
        $1 == "iface" {
            family = $3 == "" || $3 == "inherits" ? "inet" : $3
            stanza = inside ? "gone" : ""
            if (ours[$2] && (inside || family == "inet" || stated[$2, family])) {
                stanza = $2
                if (family == "inet") method[stanza] = $4
            }
            if (stanza == "") put($0)
            if ($2 == "lo") loopback = 1
            next
        }
        inside && ($1 == "auto" || $1 ~ /^allow-/) { next }
        $1 == "auto" || $1 ~ /^allow-/ {
            stanza = ""
            line = ""
            for (i = 2; i <= NF; i++) if (!ours[$i]) line = line " " $i
            if (line != "") put($1 line)
            next
        }
        $1 == "mapping" || $1 ~ /^source/ || $1 == "rename" || $1 == "no-auto-down" || $1 == "no-scripts" { stanza = "" }
        { take($0) }

        # A line of the stanza that we are in: kept, or of one that is ours.
        function take(text,    n, i, word) {
            if (stanza == "" || (text ~ /^#/ && !inside)) put(text)
            else if (text ~ /^[ \t]*address[ \t]/) {
                n = split(text, word, /[ \t]+/)
                for (i = word[1] == "" ? 3 : 2; i <= n; i++) {
                    had[stanza " " family] = had[stanza " " family] " " bare(word[i])
                    if (described[bare(word[i])]) any[family] = 1
                }
            }
            if (stanza == "" || (text ~ /^#/ && !inside)) return
            if (family == "inet" && text !~ /^[ \t]*(#|$)/) {
                sub(/\\\n$/, " ", option[stanza])
                option[stanza] = option[stanza] text "\n"
            }
        }
        # An address without the length behind it.
        function bare(text) {
            sub(/\/.*$/, "", text)
            return tolower(text)
        }
        # Addresses that nobody describes, their count: where a described one is there
        # already all are further ones, else it takes the place of each one.
        function further(    which, n, i, address, seen, kept_one, count) {
            for (which in had) {
                n = split(had[which], address, " ")
                kept_one = any[substr(which, index(which, " ") + 1)]
                for (i = 1; i <= n; i++) {
                    if (described[address[i]] || seen[which, address[i]]++) continue
                    if (kept_one && ++count) print substr(which, 1, index(which, " ") - 1) ": address " address[i]
                    kept_one = 1
                }
            }
            return count
        }
        function put(text) {
            if (text ~ /^source/ && !split_at) split_at = lines + 1
            line_of[++lines] = text
        }
        function carries(which) { return method[which] == "dhcp" || option[which] ~ /(^|\n)[ \t]*address/ }
        # Those options of a stanza whose name fits, or with "not" does not.
        function options(which, pattern, not,    i, n, part_of, word, out) {
            n = split(option[which], part_of, "\n")
            for (i = 1; i < n; i++) {
                split(part_of[i], word, /[ \t]+/)
                if (word[1] == "") word[1] = word[2]
                if ((word[1] ~ pattern) != not) out = out part_of[i] "\n"
            }
            return out
        }
        # What a stanza of ours says of its interface; all else it has had goes on.
        function others(which) {
            return options(which, "^(address|netmask|network|broadcast|gateway|dns-.*" \
                "|bridge[-_](ports|stp|fd|vlan[-_]aware|vids)|vlan[-_].*|vlan" \
                "|slaves|bond[-_](slaves|mode|miimon|xmit[-_]hash[-_]policy)" (with_mtu[which] ? "|mtu" : "") ")$", 1)
        }
        function block(    from, out, i, now) {
            out = "# BEGIN " tag "\n"
            from = carries(keep[1]) ? keep[1] : keep[2]
            for (i = 1; i <= wanted; i++) if ($0 = want[i]) {
                if ($1 == "iface") now = $3 == "inet" ? $2 : ""
                if ($1 == "mtu" && now != "") with_mtu[now] = 1
            }
            now = ""
            for (i = 1; i <= wanted + 1; i++) {
                $0 = i > wanted ? "" : want[i]
                if (now != "" && ($0 == "" || $1 == "auto" || $1 == "iface")) {
                    if (!takes_over || now != keep[2]) out = out others(takes_over && now == keep[1] ? from : now)
                    now = ""
                }
                if ($1 == "iface" && $3 == "inet") now = $2
                if (want[i] == "@options@") out = out options(from, "^(address|netmask|network|broadcast|gateway)$", 0)
                else if (want[i] == "@dns@") out = out options(keep[1], "^dns-", 0) options(keep[2], "^dns-", 0)
                else if (i <= wanted) {
                    sub(/@method@/, method[from], want[i])
                    out = out want[i] "\n"
                }
            }
            return out "# END " tag "\n"
        }
        END {
            if (inside) exit 3
            if (takes_over && !carries(keep[1]) && !carries(keep[2])) exit 4
            if (!loopback) made = "auto lo\niface lo inet loopback\n\n"
            while (lines && line_of[lines] == "" && !split_at) lines--
            for (i = 1; i <= lines; i++) {
                if (i == split_at) made = made (i > 1 && line_of[i - 1] != "" ? "\n" : "") block() "\n"
                # Where a stanza went, one empty line is left, not two.
                if (line_of[i] != "" || line_of[i - 1] != "" || i == 1) made = made line_of[i] "\n"
            }
            if (!split_at) made = made (lines ? "\n" : "") block()
            if (mode == "test") {
                if (made == have) exit 0
                exit mirror == "" && !takes_over && further() ? 5 : 1
            }
            printf "%s", made
        }' part=want - part=have "$(existing "$5")"
}

# need_no_stanza_elsewhere NAME...: an interface is described in one file only.
need_no_stanza_elsewhere() {
    [ "$phase" = need ] || return 0
    for needed in "$@"; do
        elsewhere=$(grep -l -s -E -e "^[[:blank:]]*iface[[:blank:]]+$needed([[:blank:]]|\$)" /etc/network/interfaces.d/*)
        [ -z "$elsewhere" ] || need_failed "$needed is described in $elsewhere too" 'Take it out there: one interface, one description.'
    done
}

# Names of the nodes: our block in /etc/hosts, and lines that contradict it put right.

# want_hosts NAMES <<END: the lines stand in /etc/hosts before all others that are
# not for the loopback; NAMES mean nothing else in any other line.
want_hosts() {
    want_edited /etc/hosts hosts_filter "$1"
}

hosts_filter() {
    awk -v names="$1" -v mode="$2" -v tag="pvegen $cluster: names" '
        BEGIN { count = split(names, name, " "); for (i = 1; i <= count; i++) ours[tolower(name[i])] = 1 }
        part == "want" {
            want = want $0 "\n"
            for (i = 2; i <= NF; i++) address[tolower($i)] = $1
            next
        }
        { have = have $0 "\n" }
        $0 == "# BEGIN " tag { inside = 1; next }
        $0 == "# END " tag { inside = 0; next }
        inside { next }
        {
            sub(/\r$/, "")
            line = right($0)
            if (line == "") { if ($0 ~ /^[ \t]*$/) line_of[++lines] = ""; next }
            if (!at && $1 !~ /^#/ && $1 !~ /^127\./ && $1 != "::1") at = lines + 1
            line_of[++lines] = line
        }
        # The line without our names where it gives them another address.
        function right(text,    i, n, word, bare, out, left) {
            bare = text
            sub(/#.*/, "", bare)
            n = split(bare, word, /[ \t]+/)
            if (word[1] == "") for (i = 1; i < n; i++) word[i] = word[i + 1]
            out = word[1]
            for (i = 2; i <= n; i++) {
                if (word[i] == "") continue
                if (ours[tolower(word[i])] && address[tolower(word[i])] != word[1]) { left = 1; continue }
                out = out " " word[i]
            }
            if (!left) return text
            return out == word[1] ? "" : out
        }
        END {
            if (inside) exit 3
            block = "# BEGIN " tag "\n" want "# END " tag "\n"
            if (!at) at = lines + 1
            for (i = 1; i <= lines; i++) {
                if (i == at) made = made block
                made = made line_of[i] "\n"
            }
            if (at > lines) made = made block
            if (mode == "test") exit made != have
            printf "%s", made
        }' part=want - part=have "$(existing "$3")"
}

# expect_names <<END: lines as in /etc/hosts; each name is its address, and back.
expect_names() {
    if [ "$phase" = need ] || [ "$call" = check ]; then return 0; fi
    while read -r name_address name_whole name_short; do
        expect "$name_short is $name_address" 5 \
            "See who answers what: getent ahosts $name_short; grep $name_short /etc/hosts; grep hosts: /etc/nsswitch.conf" \
            resolves "$name_short" "$name_address"
        expect "$name_address is $name_whole" 5 \
            'An earlier line of /etc/hosts, or the reverse zone in DNS, has another name for it.' \
            resolves_back "$name_address" "$name_whole" "$name_short"
    done
}

# resolves NAME ADDRESS: every address of the name is this one, so that the first
# is (pmxcfs and pvecm take the first).
resolves() {
    found=$(getent ahosts "$1" | awk '!seen[$1]++ { print $1 }')
    [ "$found" = "$2" ]
}

# resolves_back ADDRESS NAME SHORT: the address's name is the node's.
resolves_back() {
    found=$(getent hosts "$1" | awk '{ print $2 }')
    [ "$found" = "$2" ] || [ "$found" = "$3" ]
}

# resolves_to_own NAME: the name's address is on an interface of this node.
resolves_to_own() {
    found=$(getent ahosts "$1" | awk 'NR == 1 { print $1 }')
    case $found in
        '' | 127.* | ::1) return 1 ;;
        *) ;;
    esac
    look_network
    case $addresses in
        *" $found/"*) return 0 ;;
        *) return 1 ;;
    esac
}

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
        need_met 'sshd accepts its configuration as it is'
    else
        need_failed "sshd does not accept $sshd_config" "$sshd_said"
    fi
}

# expect_ticket ADDRESS NAME: the ticket passes from the other node to this one, and back.
expect_ticket() {
    expect "sshd takes LC_PVE_TICKET from $2" 5 \
        "See: sshd -T -C user=root,host=$2,addr=$1 | grep -i acceptenv. A Match block that lists AcceptEnv has to list LC_PVE_TICKET too." \
        accepts_env LC_PVE_TICKET "$2" "$1"
    expect "ssh sends LC_PVE_TICKET to $2" 0 \
        'See: ssh -G root@NODE | grep -i sendenv; and root'\''s own /root/.ssh/config' \
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
        same 'root'\''s login is open for a while, by admit'
    elif [ -e "$state_dir/admitted" ] && differs 'root'\''s login that admit opened is open beyond its time' 'close'; then
        admit_write close </dev/null
        rm -f "$state_dir/admitted"
        changed 'root'\''s login that admit opened is open beyond its time' 'close'
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
                need_failed 'sshd does not tell its PermitRootLogin, for it does not accept its configuration' "$(run_sshd -t 2>&1)"
                return 0
                ;;
            'need no')
                need_failed "sshd's PermitRootLogin is \"$root_policy\": it cannot be kept in a cluster" 'PVE'\''s nodes run commands on one another as root by key. State ssh.root_login = "prohibit-password" in the description.'
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
            need_failed '/root/.ssh/id_rsa exists without id_rsa.pub, or is empty' 'Make the public half again: ssh-keygen -y -f /root/.ssh/id_rsa >/root/.ssh/id_rsa.pub'
    elif differs /root/.ssh/id_rsa 'create'; then
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
        changed /root/.ssh/id_rsa 'created'
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
    tell 'without our lines the file would let root in by password, as pvecm has written; it was not so first'
    return 1
}

# print_keys: this node's public keys, as lines for its table in the description.
print_keys() {
    if [ ! -r /root/.ssh/id_rsa.pub ]; then
        printf '%s\n' "root has no key here yet; make one with: sh $again apply --only trust" >&2
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
            point ok "root reaches $2 by key" 'SKIP it is not up'
            return 0
            ;;
    esac
    known_file=/etc/pve/nodes/$2/ssh_known_hosts
    [ ! -r "$known_file" ] || ssh_options=" -o HostKeyAlias=$2 -o UserKnownHostsFile=$known_file -o GlobalKnownHostsFile=none"
    expect "root reaches $2 by key" 0 \
        "See: ssh -v -o BatchMode=yes${ssh_options:-} root@$1 true; pvecm updatecerts on both" \
        reaches_root "$1"
    ssh_options=''
}

# admit: root may log in by password for a while, so that others can join this node.

admit() {
    begin_call admission
    only_here
    is_whole "$script" || { printf '%s\n' 'run the script as a file (sh FILE admit): a copy of it closes the login again' >&2; exit 78; }
    is_member || { printf '%s\n' "this node is not in cluster $cluster yet, so nobody can join through it: apply first" >&2; exit 78; }
    sshd_accepts "$sshd_config" || { printf '%s\n' "$sshd_config is not accepted by sshd itself: mend it first. Nothing was opened." >&2; exit 78; }
    take_lock
    open_store
    { cp "$script" "$state_dir/close.sh.new" && is_whole "$state_dir/close.sh.new" && mv -f "$state_dir/close.sh.new" "$state_dir/close.sh"; } ||
        cannot_write "$state_dir"
    opening=$$.$(date +%s)
    admit_arm || stop 'the timer that closes it again could not be armed; nothing was opened'
    printf '%s\n' "$opening" >"$state_dir/admitted" || cannot_write "$state_dir"
    # For root alone; what a Match says goes over what stands before it.
    admit_write open <<'END'
Match User root
 PermitRootLogin yes
 PasswordAuthentication yes
END
    if ! is_open; then
        admit_write close </dev/null
        stop 'another Match of sshd'\''s configuration keeps root out; nothing is open' 'See: sshd -T -C user=root,host=localhost,addr=127.0.0.1. Let nodes join by keys (ssh.trust), or take that Match away for the time.'
    fi
    printf '%s\n' "Root may log in by password for $open_minutes minutes, then this closes by itself. To close it now: sh $again close"
}

# is_whole FILE: it is this script, undamaged.
is_whole() {
    [ -f "$1" ] && [ "$(sed 2d <"$1" | sha256sum)" = "$digest  -" ]
}

# is_open: sshd lets root in by password, whatever else its file says.
is_open() {
    found=$(run_sshd -T -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null |
        awk '$1 == "permitrootlogin" || $1 == "passwordauthentication" { print $2 }')
    [ "$found" = "yes${line_break}yes" ]
}

# admit_write open|close <<END: the block in sshd's file, then in force. What opens is tried
# by sshd first. What closes only takes our lines away: that sshd finds fault with others, or
# at boot has no directory yet, must not keep it open. At boot sshd comes after us, and must
# not be waited for.
admit_write() {
    content=$(block_filter "pvegen $cluster: admit" last print "$sshd_config" && printf x)
    [ "$1" = close ] || check_with=sshd_accepts
    content=${content%x}
    digest_of_text "$content"
    keep_first "$sshd_config" "$sum" edited admit
    replace "$sshd_config" ''
    check_with=''
    systemctl is-active "$sshd_unit" >/dev/null 2>&1 || return 0
    run sshd systemctl reload-or-restart "$sshd_unit" ||
        stop "systemctl reload-or-restart $sshd_unit failed"
}

# Armed twice, and seen to be, before anything is opened: a timer that outlives
# this login, and a unit that closes at the next boot before sshd starts.
admit_arm() {
    # A link is somebody's: masked, or to a file that we would write to.
    [ ! -L /etc/systemd/system/pvegen-close.service ] || return 1
    cat >/etc/systemd/system/pvegen-close.service <<END || return 1
[Unit]
Description=Close the root login by password that pvegen opened
Before=$sshd_unit.service
[Service]
Type=oneshot
ExecStart=/bin/sh $state_dir/close.sh close
[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl enable pvegen-close.service >/dev/null 2>&1 || return 1
    systemctl is-enabled pvegen-close.service >/dev/null 2>&1 || return 1
    systemctl stop pvegen-close-later.timer >/dev/null 2>&1
    systemctl reset-failed pvegen-close-later.service >/dev/null 2>&1
    # Left to itself, systemd may be a minute late.
    if systemd-run --unit=pvegen-close-later --on-active="${open_minutes}m" --timer-property=AccuracySec=1s \
        --setenv="pvegen_opening=$opening" /bin/sh "$state_dir/close.sh" close >/dev/null 2>&1; then
        systemctl is-active pvegen-close-later.timer >/dev/null 2>&1
    else
        admit_sleep &
        kill -0 "$!"
    fi
}

# admit_sleep: the timer where systemd makes none.
admit_sleep() {
    # The lock and the terminal are let go of.
    exec </dev/null >/dev/null 2>&1 8>&- 9>&-
    trap '' HUP
    sleep "$((open_minutes * 60))"
    pvegen_opening=$opening
    export pvegen_opening
    exec /bin/sh "$state_dir/close.sh" close
}

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
            need_failed 'there is a /etc/corosync/authkey, but no cluster' "A join was broken off here, or the node was in a cluster once. Look at a member: pvecm nodes. Where $node is listed, there: pvecm delnode $node. Then move what it has left away here: systemctl stop corosync; mv /etc/corosync/authkey /root/; [ ! -e /etc/corosync/corosync.conf ] || mv /etc/corosync/corosync.conf /root/"
        else
            need_met 'this node is in no cluster yet'
        fi
    elif [ -z "$member_cluster" ]; then
        need_failed "$member_file lists no nodes: an example was taken for a cluster's configuration" 'systemctl stop pve-cluster corosync; pmxcfs -l; rm /etc/pve/corosync.conf; killall pmxcfs; rm -f /etc/corosync/corosync.conf; systemctl start pve-cluster'
    elif [ "$member_cluster" != "$cluster" ] && ! is_word "$node" "$member_nodes"; then
        need_failed "this node is in cluster $member_cluster, not $cluster" "$member_cluster does not list it as $node any more. If it was taken out of there (pvecm delnode), back up what guests it still has, then clean it, here: systemctl stop pve-cluster corosync; mkdir -p /root/removed; mv --backup=numbered /var/lib/pve-cluster/config.db* /root/removed/; rm -rf /etc/corosync/authkey /etc/corosync/corosync.conf; systemctl start pve-cluster; and apply again: it joins as a new node. All that /etc/pve held is gone with that: guests of the old cluster must not start here too."
    elif [ "$member_cluster" != "$cluster" ]; then
        need_failed "this node is in cluster $member_cluster, not $cluster" 'A node is never taken out of a cluster by this script. If it is to move, take it out by the manual of Proxmox VE (pvecm delnode, and clean the node) first.'
    elif ! is_word "$node" "$member_nodes"; then
        need_failed "this node has the configuration of cluster $cluster, and is not listed in it as $node: it was taken out, or renamed" 'If it was renamed, give it its old name. If it was taken out (pvecm delnode), back up what guests it still has, then clean it, here: systemctl stop pve-cluster corosync; mkdir -p /root/removed; mv --backup=numbered /var/lib/pve-cluster/config.db* /root/removed/; rm -rf /etc/corosync/authkey /etc/corosync/corosync.conf; systemctl start pve-cluster; and apply again: it joins as a new node. All that /etc/pve held is gone with that: guests of the old cluster must not start here too.'
    else
        need_met "this node is in cluster $cluster"
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
        need_failed "pmxcfs is down, and files lie in the directory that it is mounted on: ${strays# }" 'Somebody has written them while it was down; pmxcfs refuses to be mounted over them, or hides them. Move them away, look at them when it is up: mkdir -p /root/etc-pve && find /etc/pve -mindepth 1 -maxdepth 1 -exec mv {} /root/etc-pve/ '\'';'\'''
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
        need_met "the cluster knows this node as $1"
    else
        need_failed "the cluster knows this node as $entry, the description as $1" 'A member'\''s address is not changed by this script: it would fall out of its cluster. State the address that it has, or change it by the manual of Proxmox VE (corosync.conf, hosts, network) first.'
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

# need_nothing_to_lose: joining throws away what /etc/pve holds on the joining node.
need_nothing_to_lose() {
    [ "$phase" = need ] || return 0
    ! is_member || return 0
    if find_valuables; then
        need_failed "/etc/pve holds what joining would throw away: $valuables" 'Guests: back them up and remove them here, restore them after joining; but where one runs on another node, too, or has its disks on storage of others, only move its .conf file away: to destroy it here would delete its disks there. Storages, users, rules: note them down, they are the cluster'\''s afterwards.'
    else
        need_met 'nothing in /etc/pve would be lost'
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
            need_failed "member $2 does not answer" "Is $2 up, and was its script applied first? Nodes run in the order of the description."
            ;;
        # A key that the description states may be put right by this very run.
        other-key-password)
            need_failed "$2 shows another host key than this node knows of it" "Either $2 was set up anew, or another machine answers for its address and would get root's password. Compare, on $2 itself: ssh-keygen -l -f $ssh_dir/ssh_host_rsa_key.pub; here: ssh-keyscan -t rsa $1 | ssh-keygen -l -f -. Where the description states the key (ssh_host_keys) and is wrong, correct it there. Else, and only where the two are the same, have the old key forgotten, here: ssh-keygen -R $1 (and where ssh -v root@$1 names $ssh_dir/ssh_known_hosts, take its line out there)"
            ;;
        in-*)
            if member_is_fit "$1" "$2"; then
                need_met "$2 is in the cluster and quorate, all its nodes are online, versions and clocks agree"
            else
                need_failed "$wrong" "$wrong_do"
            fi
            ;;
        *) need_met "member $2 answers" ;;
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
    [ -r /etc/pve/.members ] || { found='pmxcfs is not up: there is no /etc/pve/.members'; return 1; }
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
        stop 'sshd'\''s PermitRootLogin is not yet put in front of what pvecm will write' "The steps before see to that: sh $again apply, without --only and --from."
    fi
    if ! resolves_to_own "$node" || { [ -n "${2:-}" ] && ! resolves "$node" "$2"; }; then
        stop "$node resolves to \"$found\", which is not its address in the description or is not on this node" "The steps before see to that: sh $again apply, without --only and --from."
    fi
}

# has_corosync_files: corosync starts at the next boot, too.
has_corosync_files() {
    [ -s /etc/corosync/authkey ] || return 1
    # While a change is on its way they differ for a moment.
    cmp -s /etc/pve/corosync.conf /etc/corosync/corosync.conf ||
        { sleep 1 && cmp -s /etc/pve/corosync.conf /etc/corosync/corosync.conf; }
}

pmxcfs_is_up() {
    [ -L /etc/pve/local ]
}

# run_undisturbed COMMAND...: pvecm, broken off, leaves more to mend than it costs to
# wait for its end; the lock is its own as long as it runs.
run_undisturbed() {
    note 'This cannot be interrupted; it ends by itself.'
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
        stop "member $join_member does not answer" "Is $join_member up, and was its script applied first? Nodes run in the order of the description."
    [ "$root_answer" = in ] || ask_trust
    member_is_fit "$join_address" "$join_member" || stop "$wrong" "$wrong_do"
    note "$join_member is in the cluster and quorate, all its nodes are online, versions and clocks agree"
    lock_join
    run_add timeout -k 10 "$limit_join" pvecm add "$join_address" "$@"
    join_ends member_is_fit "$@"
}

# join_begins [OPTION...]: this node is to join now, and can.
join_begins() {
    [ "$phase" = want ] || return 1
    if is_member; then
        same "this node is in cluster $cluster"
        return 1
    fi
    differs "cluster $cluster" "run pvecm add $join_address $*" || return 1
    within "$limit_unit" pmxcfs_is_up || stop 'pmxcfs is not up: there is no /etc/pve/.members' 'See why: systemctl status pve-cluster; journalctl -b -u pve-cluster'
    ! find_valuables || stop "/etc/pve holds what joining would throw away: $valuables" 'Guests: back them up and remove them here, restore them after joining; but where one runs on another node, too, or has its disks on storage of others, only move its .conf file away: to destroy it here would delete its disks there. Storages, users, rules: note them down, they are the cluster'\''s afterwards.'
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
        ! "$join_fit" "$join_address" "$join_member" || wrong='pvecm add has not brought this node into the cluster' wrong_do='What pvecm said stands above. Mend that, then apply here again.'
        stop "$wrong" "$wrong_do"
    fi
    changed "cluster $cluster" "ran pvecm add $join_address $*"
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
            stop "$join_holder is joining the cluster just now" \
                "Nodes join one after another: wait until that one is done, then apply here again. If its run was broken off, this ends after $join_minutes minutes by itself; or on $join_member: rm -r /etc/pve/priv/pvegen-join"
            ;;
        3) stop "the cluster of $join_member has a QDevice, which counts for the nodes that were there when it was set up" "Take it away while nodes join, on $join_member: pvecm qdevice remove; and after the last one: pvecm qdevice setup with the address that it had. Then apply here again." ;;
        255) stop "member $join_member does not answer" "Is $join_member up, and was its script applied first? Nodes run in the order of the description." ;;
        *) stop "$join_member has no quorum, and so can add nobody" "See on $join_member: pvecm status. If it waits for a node whose join was broken off: pvecm expected 1" ;;
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
        stop "$join_member shows another host key than this node knows of it" "Either $join_member was set up anew, or another machine answers for its address and would get root's password. Compare, on $join_member itself: ssh-keygen -l -f $ssh_dir/ssh_host_rsa_key.pub; here: ssh-keyscan -t rsa $join_address | ssh-keygen -l -f -. Where the description states the key (ssh_host_keys) and is wrong, correct it there. Else, and only where the two are the same, have the old key forgotten, here: ssh-keygen -R $join_address (and where ssh -v root@$join_address names $ssh_dir/ssh_known_hosts, take its line out there)"
    fi
    [ "$trust" = password ] || stop "root here does not get into $join_member by key" "Is this node's key in the description, and was $join_member's script run since? See: ssh -o BatchMode=yes root@$join_member true"
    note "Root's public key goes to $join_member; ssh asks whether its host key is right, and for root's password there."
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
        *) stop "$join_member has no quorum, and so can add nobody" "See on $join_member: pvecm status. If it waits for a node whose join was broken off: pvecm expected 1" ;;
    esac
    [ "$root_answer" = in ] ||
        stop "root here does not get into $join_member by key" "Run this on a terminal. Root has to be let in by password there for a while: on $join_member, sh $join_member.sh admit (open for $open_minutes minutes)."
}

# member_is_fit ADDRESS NAME: see judge_member; asked over ssh.
member_is_fit() {
    wrong="member $2 does not answer" wrong_do="Is $2 up, and was its script applied first? Nodes run in the order of the description."
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
        wrong="$1 is not in cluster $cluster"
        wrong_do="Apply the script of $1 first: it creates or joins the cluster."
    elif ! says_of_members '"quorate":1'; then
        wrong="$1 has no quorum, and so can add nobody"
        wrong_do="See on $1: pvecm status. If it waits for a node whose join was broken off: pvecm expected 1"
    elif says_of_members '"'"$node"'":{'; then
        member_entry "$node"
        case $entry in
            *'"online":1'*)
                wrong="the cluster lists $node already, and sees it online, but this node is not in it"
                wrong_do="Does another machine run under this name? On $1: cat /etc/pve/.members shows its address. If so, take nothing out of the cluster: give one of the two another name. If $node was only just switched off, wait until it is seen offline, then apply here again."
                ;;
            *)
                wrong="the cluster lists $node already, but this node is not in it"
                wrong_do="A join of this node was broken off half way. On $1: pvecm delnode $node; then apply here again."
                ;;
        esac
    elif [ -n "$own_address" ] && says_of_members '"ip":"'"$own_address"'"'; then
        wrong="a node of the cluster has the address $own_address already"
        wrong_do="Two nodes with one address tear the cluster apart. See on $1: cat /etc/pve/.members. Is this node a copy of another, or is that one to be taken out of the cluster first (pvecm delnode)?"
    elif says_of_members '"online":0'; then
        wrong='a node of the cluster is offline'
        wrong_do='Nodes join one after another: wait for the join that is under way, or bring the missing node up first. See on the member: pvecm nodes'
    elif [ "${member_version%%.*}" != "${own_version%%.*}" ]; then
        wrong="$1 runs Proxmox VE ${member_version%%/*}, this node ${own_version%%/*}"
        wrong_do='Nodes of one cluster run the same series: update one of them first.'
    elif [ "${clock_off#-}" -gt "$limit_clock" ]; then
        wrong="this node's clock is ${clock_off#-} s away from that of $1"
        wrong_do='Certificates and tickets would not be valid. See: date, on both; is the time service in step?'
    elif has_its_id; then
        wrong="this node has the machine id of $1: one of them is a copy of the other"
        wrong_do='Give the copy an id of its own. If this is the copy, here: rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup'
    elif has_its_host_key; then
        wrong="this node has a host key of $1, $key_file: one of them is a copy of the other"
        wrong_do="Whoever has it can pass for the other. If this is the copy, here: for t in rsa ecdsa ed25519; do rm -f $ssh_dir/ssh_host_\${t}_key*; ssh-keygen -q -N '' -t \$t -f $ssh_dir/ssh_host_\${t}_key; done; systemctl restart $sshd_unit"
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

# need_no_example: where the package is believed to bring none, none is there that
# pve-cluster would take over when it makes its database.
need_no_example() {
    if [ "$phase" = need ] && [ -e /etc/corosync/corosync.conf ] && [ ! -e /etc/corosync/authkey ] &&
        [ ! -e /var/lib/pve-cluster/config.db ] && ! is_member; then
        need_failed '/etc/corosync/corosync.conf is of no cluster that this node is in, and pve-cluster would take it for one when it starts for the first time' 'Look at it. If nobody needs it, move it away: mv /etc/corosync/corosync.conf /root/'
    fi
}

# want_certificate: pveproxy makes the node's own when it starts, and has made none
# where /etc/pve was not up then; it goes on running without, and answers nobody.
want_certificate() {
    if [ "$phase" = need ] || ! pmxcfs_is_up; then
        return 0
    elif [ -s /etc/pve/local/pve-ssl.pem ]; then
        same /etc/pve/local/pve-ssl.pem
    elif differs /etc/pve/local/pve-ssl.pem 'create'; then
        keep_state pveproxy
        if ! run pvecm pvecm updatecerts || ! run pveproxy systemctl restart pveproxy; then
            stop 'the node'\''s certificate cannot be made' 'See: systemctl status pveproxy pvedaemon; journalctl -b -u pveproxy; ss -tln sport = 8006'
        fi
        changed /etc/pve/local/pve-ssl.pem 'created'
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

main "$@"
