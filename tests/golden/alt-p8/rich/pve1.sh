node='pve1'
cluster='rich'
target='alt-p8'
packages_by='rpm'
pvegen_version='0.1.0'
other_nodes='pve2=10.20.0.12 pve3=10.20.0.13'
open_minutes=15
ssh_dir='/etc/openssh'
sshd_config=$ssh_dir/sshd_config
sshd_unit='sshd'

# Units that the steps look at: asked for all at once.
unit_names='NetworkManager systemd-networkd networking ntpd openntpd chronyd systemd-timesyncd network syslogd rrdcached ksmtuned crond lxcfs cgmanager nfslock rpcbind pve-cluster pvedaemon pveproxy pvestatd spiceproxy pve-firewall pvefw-logger pve-ha-lrm pve-ha-crm pve-manager sshd corosync'

# Waits and limits, in seconds.
limit_unit=60
limit_network=60
limit_quorum=120
limit_join=600
limit_api=90
limit_ssh=10

# The right host with the right system on it. Only looks: nothing is changed
# unless all of this, and what the other steps need, is so.
step_host() {
    need_root
    need_host
    need_writable /etc /root /var/lib /var/log
    need_space /etc /root /var/lib /var/log
    need_release /etc/altlinux-release 'ALT *'
    need_series '4' \
        /etc/altlinux-release:4:alt-p8 /etc/altlinux-release:5:alt-p8-pve5 /etc/altlinux-release:6:alt-p9 /etc/altlinux-release:7:alt-p10 /etc/altlinux-release:8:alt-p11 /etc/altlinux-release:9:alt-p11 /etc/debian_version:6:pve-6 /etc/debian_version:7:pve-7 /etc/debian_version:8:pve-8 /etc/debian_version:9:pve-9
    need_packages pve-manager pve-cluster openssh-server openssh-clients
    need_commands awk cat chmod cmp cp cut date df diff find grep id ln mkdir mv ping readlink rm rmdir sed sha256sum sleep stat sync tail tr uname \
        pvecm pveversion systemctl ip ssh sshd ssh-keygen ssh-keyscan rpm getent openssl timeout
    need_no_rival NetworkManager systemd-networkd networking
}

# Time. Certificates and tickets are valid from and until: nodes whose clocks
# differ do not trust one another. Two time services would pull one clock in
# two directions, so just one is on.
step_time() {
    need_clock 1459468800 # 2016-04-01
    need 'the system knows the time zone Europe/Moscow' 'Install the package tzdata.' test -f /usr/share/zoneinfo/Europe/Moscow
    want_link /etc/localtime /usr/share/zoneinfo/Europe/Moscow
    want_setting /etc/sysconfig/clock ZONE Europe/Moscow
    want_file /etc/timezone <<'END'
Europe/Moscow
END
    pick_time_service ntpd openntpd chronyd systemd-timesyncd
    on_change "$time_service"
    case $time_service in
        ntpd)
            need '/etc/ntpd.conf is there' 'Another package of the same time service reads another file: install the one that this system comes with, or leave [time] servers out and set them by hand.' test -f /etc/ntpd.conf
            want_block /etc/ntpd.conf 'time servers' last <<'END'
server ntp1.example.org
server ntp2.example.org
END
            ;;
        openntpd)
            need '/etc/ntpd.conf is there' 'Another package of the same time service reads another file: install the one that this system comes with, or leave [time] servers out and set them by hand.' test -f /etc/ntpd.conf
            want_block /etc/ntpd.conf 'time servers' last <<'END'
server ntp1.example.org
server ntp2.example.org
END
            ;;
        chronyd)
            need '/etc/chrony.conf is there' 'Another package of the same time service reads another file: install the one that this system comes with, or leave [time] servers out and set them by hand.' test -f /etc/chrony.conf
            want_block /etc/chrony.conf 'time servers' last <<'END'
server ntp1.example.org iburst
server ntp2.example.org iburst
END
            ;;
        *) need "the servers of $time_service are not set by this script" 'Set them by hand and leave [time] servers out of the description.' false ;;
    esac
    want_no_other_time_service 'systemd-timesyncd'
    if [ -n "$time_service" ]; then
        want_units required run "$time_service"
        settle "$time_service" systemctl restart "$time_service"
    fi
}

# The bridge that guests are plugged into. The node's own address moves from
# the NIC to the bridge, and the NIC becomes its port: a port with an address
# of its own would answer for the same network twice, and the node would reach
# nobody. etcnet has a directory for each interface. The network is switched
# under a timer: unless the node itself proves the new one, the old one comes
# back.
# What the switch of the network has to know.
network_manager=etcnet
network_unit=network
stage_none='# pvegen: no such file in this profile'
network_bridges='vmbr0 vmbr50 vmbr1'
network_made='vmbr1 vmbr50 vmbr0 bond0.50 bond0.40 bond0'
network_interfaces='vmbr1 vmbr50 vmbr0 bond0.50 bond0.40 bond0 eno2 eno1 eno3'
network_peers='10.20.0.12 10.20.0.13'
network_keeps=''

network_state() {
    holds 'eno3 is up' is_up eno3
    holds 'eno3 has MTU 9000' has_mtu eno3 9000
    holds 'eno3 has 10.30.0.11/24' has_address eno3 10.30.0.11/24
    holds 'eno3 has the broadcast address' has_broadcast eno3 10.30.0.11/24
    holds 'eno1 is up' is_up eno1
    holds 'eno1 has MTU 9000' has_mtu eno1 9000
    holds 'eno1 is one of the NICs of bond0' is_bonded eno1 bond0
    holds 'eno1 has no address of its own' has_only_link_local eno1
    holds 'eno2 is up' is_up eno2
    holds 'eno2 has MTU 9000' has_mtu eno2 9000
    holds 'eno2 is one of the NICs of bond0' is_bonded eno2 bond0
    holds 'eno2 has no address of its own' has_only_link_local eno2
    holds 'bond0 is up' is_up bond0
    holds 'bond0 has MTU 9000' has_mtu bond0 9000
    holds 'bond0 is a port of vmbr0' is_port_of bond0 vmbr0
    holds 'bond0 has no address of its own' has_only_link_local bond0
    holds 'bond0 has the mode 802.3ad' has_bond_mode bond0 802.3ad
    holds 'bond0.40 is up' is_up bond0.40
    holds 'bond0.40 has MTU 1500' has_mtu bond0.40 1500
    holds 'bond0.40 is VLAN 40 of bond0' is_vlan bond0.40 40 bond0
    holds 'bond0.40 has 10.40.0.11/24' has_address bond0.40 10.40.0.11/24
    holds 'bond0.40 has the broadcast address' has_broadcast bond0.40 10.40.0.11/24
    holds 'bond0.50 is up' is_up bond0.50
    holds 'bond0.50 has MTU 1500' has_mtu bond0.50 1500
    holds 'bond0.50 is a port of vmbr50' is_port_of bond0.50 vmbr50
    holds 'bond0.50 has no address of its own' has_only_link_local bond0.50
    holds 'bond0.50 is VLAN 50 of bond0' is_vlan bond0.50 50 bond0
    holds 'vmbr0 is up' is_up vmbr0
    holds 'vmbr0 has MTU 9000' has_mtu vmbr0 9000
    holds 'vmbr0 has forward delay 0' has_delay vmbr0 0
    holds 'vmbr0 has 10.20.0.11/24' has_address vmbr0 10.20.0.11/24
    holds 'vmbr0 has 2001:db8:20::11/64' has_address vmbr0 2001:db8:20::11/64
    holds 'vmbr0 has the broadcast address' has_broadcast vmbr0 10.20.0.11/24
    holds 'the default route is via 10.20.0.1 on vmbr0' has_route 10.20.0.1 vmbr0
    holds 'the default route is via 2001:db8:20::1 on vmbr0' has_route 2001:db8:20::1 vmbr0
    holds 'vmbr50 is up' is_up vmbr50
    holds 'vmbr50 has forward delay 0' has_delay vmbr50 0
    holds 'vmbr1 is up' is_up vmbr1
    holds 'vmbr1 has forward delay 0' has_delay vmbr1 0
    holds 'vmbr1 has 2001:db8:21::11/64' has_address vmbr1 2001:db8:21::11/64
}

# What proves it, beside the answers of those who answered before.
network_proof() {
    network_state
    holds 'vmbr0 has a carrier' has_carrier vmbr0
    # Without that nobody could answer.
    [ -z "$holds_wrong" ] || return 0
    holds 'gateway 10.20.0.1 answers' answers 10.20.0.1
    holds 'gateway 2001:db8:20::1 answers' answers 2001:db8:20::1
}

network_files() {

    want_directory /etc/net/ifaces/vmbr1
    want_file /etc/net/ifaces/vmbr1/brctl <<'END'
stp AUTO off
setfd AUTO 0
END
    want_file /etc/net/ifaces/vmbr1/ipv6address <<'END'
2001:db8:21::11/64
END
    want_file /etc/net/ifaces/vmbr1/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
CONFIG_IPV6=yes
HOST=''
ONBOOT=yes
TYPE=bri
END
    want_absent /etc/net/ifaces/vmbr1/ipv4address
    want_absent /etc/net/ifaces/vmbr1/ipv4route
    want_absent /etc/net/ifaces/vmbr1/ipv6route
    want_absent /etc/net/ifaces/vmbr1/resolv.conf

    want_directory /etc/net/ifaces/vmbr50
    want_file /etc/net/ifaces/vmbr50/brctl <<'END'
stp AUTO off
setfd AUTO 0
END
    want_file /etc/net/ifaces/vmbr50/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
HOST='bond0.50'
ONBOOT=yes
TYPE=bri
END
    want_absent /etc/net/ifaces/vmbr50/ipv4address
    want_absent /etc/net/ifaces/vmbr50/ipv6address
    want_absent /etc/net/ifaces/vmbr50/ipv4route
    want_absent /etc/net/ifaces/vmbr50/ipv6route
    want_absent /etc/net/ifaces/vmbr50/resolv.conf

    want_directory /etc/net/ifaces/vmbr0
    want_file /etc/net/ifaces/vmbr0/brctl <<'END'
stp AUTO off
setfd AUTO 0
END
    want_file /etc/net/ifaces/vmbr0/iplink <<'END'
mtu 9000
END
    want_file /etc/net/ifaces/vmbr0/ipv4address <<'END'
10.20.0.11/24 broadcast +
END
    want_file /etc/net/ifaces/vmbr0/ipv6address <<'END'
2001:db8:20::11/64
END
    want_file /etc/net/ifaces/vmbr0/ipv4route <<'END'
default via 10.20.0.1
END
    want_file /etc/net/ifaces/vmbr0/ipv6route <<'END'
default via 2001:db8:20::1
END
    want_file /etc/net/ifaces/vmbr0/resolv.conf <<'END'
search example.org example.net
nameserver 10.20.0.1
nameserver 2001:db8:20::1
END
    want_file /etc/net/ifaces/vmbr0/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
CONFIG_IPV6=yes
HOST='bond0'
ONBOOT=yes
TYPE=bri
END

    want_directory /etc/net/ifaces/bond0.50
    want_file /etc/net/ifaces/bond0.50/iplink <<'END'
mtu 1500
END
    want_file /etc/net/ifaces/bond0.50/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
HOST='bond0'
ONBOOT=yes
TYPE=vlan
VID=50
END
    want_absent /etc/net/ifaces/bond0.50/ipv4address
    want_absent /etc/net/ifaces/bond0.50/ipv6address
    want_absent /etc/net/ifaces/bond0.50/ipv4route
    want_absent /etc/net/ifaces/bond0.50/ipv6route
    want_absent /etc/net/ifaces/bond0.50/resolv.conf

    want_directory /etc/net/ifaces/bond0.40
    want_file /etc/net/ifaces/bond0.40/iplink <<'END'
mtu 1500
END
    want_file /etc/net/ifaces/bond0.40/ipv4address <<'END'
10.40.0.11/24 broadcast +
END
    want_file /etc/net/ifaces/bond0.40/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
HOST='bond0'
ONBOOT=yes
TYPE=vlan
VID=40
END
    want_absent /etc/net/ifaces/bond0.40/ipv6address
    want_absent /etc/net/ifaces/bond0.40/ipv4route
    want_absent /etc/net/ifaces/bond0.40/ipv6route
    want_absent /etc/net/ifaces/bond0.40/resolv.conf

    want_directory /etc/net/ifaces/bond0
    want_file /etc/net/ifaces/bond0/iplink <<'END'
mtu 9000
END
    want_file /etc/net/ifaces/bond0/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
HOST='eno1 eno2'
ONBOOT=yes
TYPE=bond
BONDMODE=4
BONDOPTIONS='miimon=100 xmit_hash_policy=layer3+4'
END
    want_absent /etc/net/ifaces/bond0/ipv4address
    want_absent /etc/net/ifaces/bond0/ipv6address
    want_absent /etc/net/ifaces/bond0/ipv4route
    want_absent /etc/net/ifaces/bond0/ipv6route
    want_absent /etc/net/ifaces/bond0/resolv.conf

    want_directory /etc/net/ifaces/eno2
    want_file /etc/net/ifaces/eno2/iplink <<'END'
mtu 9000
END
    want_file /etc/net/ifaces/eno2/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
ONBOOT=yes
TYPE=eth
END
    want_absent /etc/net/ifaces/eno2/ipv4address
    want_absent /etc/net/ifaces/eno2/ipv6address
    want_absent /etc/net/ifaces/eno2/ipv4route
    want_absent /etc/net/ifaces/eno2/ipv6route
    want_absent /etc/net/ifaces/eno2/resolv.conf

    want_directory /etc/net/ifaces/eno1
    want_file /etc/net/ifaces/eno1/iplink <<'END'
mtu 9000
END
    want_file /etc/net/ifaces/eno1/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
ONBOOT=yes
TYPE=eth
END
    want_absent /etc/net/ifaces/eno1/ipv4address
    want_absent /etc/net/ifaces/eno1/ipv6address
    want_absent /etc/net/ifaces/eno1/ipv4route
    want_absent /etc/net/ifaces/eno1/ipv6route
    want_absent /etc/net/ifaces/eno1/resolv.conf

    want_directory /etc/net/ifaces/eno3
    want_file /etc/net/ifaces/eno3/iplink <<'END'
mtu 9000
END
    want_file /etc/net/ifaces/eno3/ipv4address <<'END'
10.30.0.11/24 broadcast +
END
    want_file /etc/net/ifaces/eno3/options <<'END'
BOOTPROTO=static
CONFIG_WIRELESS=no
CONFIG_IPV4=yes
ONBOOT=yes
TYPE=eth
END
    want_absent /etc/net/ifaces/eno3/ipv6address
    want_absent /etc/net/ifaces/eno3/ipv4route
    want_absent /etc/net/ifaces/eno3/ipv6route
    want_absent /etc/net/ifaces/eno3/resolv.conf

    need_nothing_else /etc/net/ifaces/vmbr1 yes
    want_not_ours /etc/net/ifaces/vmbr1/iplink
    need_nothing_else /etc/net/ifaces/vmbr50 yes
    want_not_ours /etc/net/ifaces/vmbr50/iplink
    need_nothing_else /etc/net/ifaces/vmbr0 yes
    need_nothing_else /etc/net/ifaces/bond0.50 yes
    need_nothing_else /etc/net/ifaces/bond0.40 yes
    need_nothing_else /etc/net/ifaces/bond0 yes /etc/net/ifaces/vmbr0 10.20.0.11/24
    need_nothing_else /etc/net/ifaces/eno2 yes
    need_nothing_else /etc/net/ifaces/eno1 yes
    need_nothing_else /etc/net/ifaces/eno3 yes
}

step_bridge() {
    need 'etcnet is there (/etc/net/ifaces)' 'This target'\''s network is etcnet'\''s: install the package etcnet, or state another target.' test -d /etc/net/ifaces
    need_not_disabled
    need 'etcnet uses no profile (/etc/net/profile)' 'The plain files are not what is in force here. Make the profile'\''s files the plain ones and remove /etc/net/profile, then start again.' uses_no_profile
    need_interface eno3 'bond0 vmbr0 vmbr50 vmbr1'
    need_interface eno1 'bond0 vmbr0 vmbr50 vmbr1'
    need_interface eno2 'bond0 vmbr0 vmbr50 vmbr1'
    need_commands brctl
    need_free bond0 'bond0 vmbr0 vmbr50 vmbr1'
    need_free bond0.40 'bond0 vmbr0 vmbr50 vmbr1'
    need_free bond0.50 'bond0 vmbr0 vmbr50 vmbr1'
    on_change network
    switch_network
    expect 'gateway 10.20.0.1 answers' "$limit_network" \
        'Is the cable in the right port, the VLAN right, the gateway up? See: ip neigh; bridge link' \
        answers 10.20.0.1
    expect 'gateway 2001:db8:20::1 answers' "$limit_network" \
        'Is the cable in the right port, the VLAN right, the gateway up? See: ip neigh; bridge link' \
        answers 2001:db8:20::1
    expect 'name server 10.20.0.1 is in /etc/resolv.conf' "$limit_network" \
        'Who writes /etc/resolv.conf? See: ls -l /etc/resolv.conf; resolvconf -l' \
        uses_nameserver 10.20.0.1
    expect 'name server 2001:db8:20::1 is in /etc/resolv.conf' "$limit_network" \
        'Who writes /etc/resolv.conf? See: ls -l /etc/resolv.conf; resolvconf -l' \
        uses_nameserver 2001:db8:20::1
    want_units required boot network
}

# PVE of early 2016 reads the bridges from Debian's file
# /etc/network/interfaces, which has no other meaning here; later ones read
# etcnet's own. The copy is made of the same data, once.
step_mirror() {
    if package_older pve-common 4.0.63; then
        want_interfaces /etc/network/interfaces 'eno3 eno1 eno2 bond0 bond0.40 bond0.50 vmbr0 vmbr50 vmbr1' 'vmbr0 bond0' mirror <<'END'
auto eno3
iface eno3 inet static
	address 10.30.0.11
	netmask 255.255.255.0
	mtu 9000

auto eno1
iface eno1 inet manual
	mtu 9000

auto eno2
iface eno2 inet manual
	mtu 9000

auto bond0
iface bond0 inet manual
	slaves eno1 eno2
	bond_miimon 100
	bond_mode 802.3ad
	bond_xmit_hash_policy layer3+4
	mtu 9000

auto bond0.40
iface bond0.40 inet static
	address 10.40.0.11
	netmask 255.255.255.0
	vlan-raw-device bond0
	vlan-id 40
	mtu 1500

auto bond0.50
iface bond0.50 inet manual
	vlan-raw-device bond0
	vlan-id 50
	mtu 1500

auto vmbr0
iface vmbr0 inet static
	address 10.20.0.11
	netmask 255.255.255.0
	gateway 10.20.0.1
	bridge_ports bond0
	bridge_stp off
	bridge_fd 0
	mtu 9000
	dns-nameservers 10.20.0.1 2001:db8:20::1
	dns-search example.org example.net

iface vmbr0 inet6 static
	address 2001:db8:20::11
	netmask 64
	gateway 2001:db8:20::1

auto vmbr50
iface vmbr50 inet manual
	bridge_ports bond0.50
	bridge_stp off
	bridge_fd 0

auto vmbr1
iface vmbr1 inet manual
	bridge_ports none
	bridge_stp off
	bridge_fd 0

iface vmbr1 inet6 static
	address 2001:db8:21::11
	netmask 64
END
    elif [ "$phase" = want ]; then
        same 'this pve-common reads etcnet'\''s own files'
    fi
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
    expect 'pve1 is an address of this node' 5 \
        'See: getent ahosts pve1; ip addr. Is the network up as described?' \
        resolves_to_own pve1
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
    expect_ticket 10.20.0.12 pve2
    expect_ticket 10.20.0.13 pve3
}

# PVE's nodes run commands on one another as root through ssh. Once the node
# is in the cluster, pvecm keeps the keys; before that the joining node has to
# get into its member.
step_trust() {
    want_root_key
    want_no_block /root/.ssh/known_hosts keys
}

# rrdcached keeps the measurements that the web interface draws. This release
# has to be told where, by the file that the package brings.
step_rrdcached() {
    on_change rrdcached
    want_copy /etc/sysconfig/rrdcached /usr/share/doc/pve-cluster/rrdcached.sysconfig /usr/share/doc/pve-manager/rrdcached.sysconfig
    want_directory /var/lib/rrdcached/db
    want_directory /var/lib/rrdcached/journal
    if has_unit rrdcached; then settle rrdcached systemctl restart rrdcached; fi
}

# The corosync package installs an example as its configuration. pve-cluster,
# when it starts for the first time, would take it for a cluster's, and pvecm
# create would refuse for ever. Removed only if it is that example and the
# node is in no cluster.
step_stub() {
    want_no_stub
}

# Services that PVE stands on, enabled and running; one that this system does
# not have is passed over. pve-cluster brings up /etc/pve; corosync is started
# by pvecm, when it has a configuration, and enabled after that.
step_services() {
    need_bare_mountpoint
    want_units present run syslogd rrdcached ksmtuned crond lxcfs cgmanager nfslock rpcbind
    want_units required run pve-cluster
}

# pvecm sets PermitRootLogin to yes without a word. What is there now, or what
# the description says, is put in front of it before pvecm runs; nodes come in
# by key.
step_root_login() {
    on_change sshd
    check_with=sshd_accepts
    want_root_login prohibit-password /etc/openssh/sshd_config without-password
    need_sshd_fine
    settle sshd systemctl reload-or-restart sshd
    check_with=''
    expect 'PermitRootLogin is as described' 5 \
        'See: sshd -T | grep -i permitrootlogin' \
        root_login_as_wanted prohibit-password
}

# This node creates the cluster. pvecm says "done" too early and exits with 0
# when it fails: what counts is that pmxcfs itself says the node is in the
# cluster and may write.
step_create() {
    need_own_cluster create
    need_own_address 10.20.0.11
    before_pvecm prohibit-password 10.20.0.11
    ask_others <<'END'
10.20.0.12 pve2
10.20.0.13 pve3
END
    create_cluster rich
    if is_member; then want_units present run corosync; fi
    expect 'pve1 is in cluster rich, quorate, and may write to /etc/pve' "$limit_quorum" \
        'See: pvecm status; cat /etc/pve/.members; journalctl -b -u corosync -u pve-cluster. Are udp ports 5404-5405 (multicast) open between the nodes, clocks and MTU alike? If this node was being added and its member waits for it without quorum, on the member: pvecm expected 1, then apply here again. If the others no longer list pve1 (on one of them: pvecm nodes), it was taken out while it was down: back up what guests it still has, then clean it, here: systemctl stop pve-cluster corosync; mkdir -p /root/removed; mv --backup=numbered /var/lib/pve-cluster/config.db* /root/removed/; rm -rf /etc/corosync/authkey /etc/corosync/corosync.conf; systemctl start pve-cluster; and apply again: it joins as a new node. All that /etc/pve held is gone with that: guests of the old cluster must not start here too.' \
        in_quorum
    expect 'corosync has its key and the cluster'\''s configuration' 5 \
        'See: ls -l /etc/corosync; diff /etc/pve/corosync.conf /etc/corosync/corosync.conf. pve-cluster writes the configuration when it starts (systemctl restart pve-cluster) if config_version in /etc/pve/corosync.conf is the higher one; the key is the same on every member (/etc/corosync/authkey).' \
        has_corosync_files
    expect 'PermitRootLogin is as described' 5 \
        'See: sshd -T | grep -i permitrootlogin' \
        root_login_as_wanted prohibit-password
}

# The web interface and what belongs to it, enabled and running; the unit that
# starts guests at boot is only enabled where PVE refuses to start it by hand.
step_manager() {
    want_certificate
    want_units present run pvedaemon pveproxy pvestatd spiceproxy pve-firewall pvefw-logger pve-ha-lrm pve-ha-crm
    want_units present run pve-manager
    expect 'the API answers on https://10.20.0.11:8006' "$limit_api" \
        'See: systemctl status pveproxy pvedaemon; journalctl -b -u pveproxy; ss -tln sport = 8006' \
        api_answers 10.20.0.11
    expect_root_reaches 10.20.0.12 pve2
    expect_root_reaches 10.20.0.13 pve3
}

# The steps, in order.
step_names='host time bridge mirror names ssh trust rrdcached stub services root-login create manager'

each_step() {
    if step host 'the right host, with the right system'; then step_host; fi
    if step time 'time zone Europe/Moscow and one time service'; then step_time; fi
    if step bridge 'Ethernet bridge vmbr0 over bond0'; then step_bridge; fi
    if step mirror 'copy of vmbr0 in /etc/network/interfaces'; then step_mirror; fi
    if step names 'names of all nodes'; then step_names; fi
    if step ssh 'LC_PVE_TICKET passes through ssh'; then step_ssh; fi
    if step trust 'root'\''s way between the nodes'; then step_trust; fi
    if step rrdcached 'rrdcached, as PVE needs it'; then step_rrdcached; fi
    if step stub 'no example configuration of corosync'; then step_stub; fi
    if step services 'services that PVE stands on'; then step_services; fi
    if step root-login 'root'\''s login through ssh'; then step_root_login; fi
    if step create 'cluster rich is created'; then step_create; fi
    if step manager 'web interface and its services'; then step_manager; fi
}
