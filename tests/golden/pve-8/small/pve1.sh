node='pve1'
cluster='small'
target='pve-8'
packages_by='dpkg'
pvegen_version='0.1.0'
other_nodes='pve2=10.0.0.12'
open_minutes=15
ssh_dir='/etc/ssh'
sshd_config=$ssh_dir/sshd_config
sshd_unit='ssh'

# Units that the steps look at: asked for all at once.
unit_names='NetworkManager systemd-networkd connman chrony ntpsec ntp openntpd systemd-timesyncd networking rrdcached ksmtuned cron lxcfs pve-cluster pvedaemon pveproxy pvestatd pvescheduler spiceproxy pve-firewall pvefw-logger pve-ha-lrm pve-ha-crm qmeventd pve-lxc-syscalld pve-guests ssh corosync'

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
    need_release /etc/debian_version '12.*'
    need_series '8' \
        /etc/altlinux-release:4:alt-p8 /etc/altlinux-release:5:alt-p8-pve5 /etc/altlinux-release:6:alt-p9 /etc/altlinux-release:7:alt-p10 /etc/altlinux-release:8:alt-p11 /etc/altlinux-release:9:alt-p11 /etc/debian_version:6:pve-6 /etc/debian_version:7:pve-7 /etc/debian_version:8:pve-8 /etc/debian_version:9:pve-9
    need_packages pve-manager pve-cluster ifupdown2 openssh-server openssh-client
    need_commands awk cat chmod cmp cp cut date df diff find grep id ln mkdir mv ping readlink rm rmdir sed sha256sum sleep stat sync tail tr uname \
        pvecm pveversion systemctl ip ifreload ssh sshd ssh-keygen ssh-keyscan dpkg-query dpkg getent openssl timeout
    need_no_rival NetworkManager systemd-networkd connman
}

# Time. Certificates and tickets are valid from and until: nodes whose clocks
# differ do not trust one another. Two time services would pull one clock in
# two directions, so just one is on.
step_time() {
    need_clock 1687392000 # 2023-06-22
    need 'the system knows the time zone UTC' 'Install the package tzdata.' test -f /usr/share/zoneinfo/UTC
    want_link /etc/localtime /usr/share/zoneinfo/UTC
    want_setting /etc/sysconfig/clock ZONE UTC
    want_file /etc/timezone <<'END'
UTC
END
    pick_time_service chrony ntpsec ntp openntpd systemd-timesyncd
    on_change "$time_service"
    want_no_block /etc/chrony/chrony.conf 'time servers'
    want_no_block /etc/ntp.conf 'time servers'
    want_no_block /etc/ntpsec/ntp.conf 'time servers'
    want_no_block /etc/openntpd/ntpd.conf 'time servers'
    want_no_block /etc/systemd/timesyncd.conf 'time servers'
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
network_made='vmbr0'
network_interfaces='vmbr0 eth0'
network_peers='10.0.0.12'
network_keeps=''

network_state() {
    holds 'eth0 is up' is_up eth0
    holds 'eth0 is a port of vmbr0' is_port_of eth0 vmbr0
    holds 'eth0 has no address of its own' has_only_link_local eth0
    holds 'vmbr0 is up' is_up vmbr0
    holds 'vmbr0 has forward delay 0' has_delay vmbr0 0
    holds 'vmbr0 has 10.0.0.11/24' has_address vmbr0 10.0.0.11/24
    holds 'the default route is via 10.0.0.1 on vmbr0' has_route 10.0.0.1 vmbr0
}

# What proves it, beside the answers of those who answered before.
network_proof() {
    network_state
    holds 'vmbr0 has a carrier' has_carrier vmbr0
    # Without that nobody could answer.
    [ -z "$holds_wrong" ] || return 0
    holds 'gateway 10.0.0.1 answers' answers 10.0.0.1
}

network_files() {
    # @dns@ stands for the name servers that are there now.
    want_interfaces /etc/network/interfaces 'eth0 vmbr0' 'vmbr0 eth0' <<'END'
iface eth0 inet manual

auto vmbr0
iface vmbr0 inet static
	address 10.0.0.11/24
	gateway 10.0.0.1
	bridge-ports eth0
	bridge-stp off
	bridge-fd 0
@dns@
END
}

step_bridge() {
    need_interface eth0 'vmbr0'
    need_no_stanza_elsewhere eth0 vmbr0
    need 'no change of the web interface waits in /etc/network/interfaces.new' 'It would replace our file at the next boot. Apply or discard it in the web interface (the node, Network).' test ! -e /etc/network/interfaces.new
    on_change network
    switch_network
    expect 'gateway 10.0.0.1 answers' "$limit_network" \
        'Is the cable in the right port, the VLAN right, the gateway up? See: ip neigh; bridge link' \
        answers 10.0.0.1
    want_one_at_boot networking
}

# Names. Every node has to know every node's name, forward and back, one to
# one. pmxcfs does not start where the node's own name is an address of the
# loopback, and lines that say so are put right.
step_names() {
    want_hosts 'pve1 pve1.example.org pve2 pve2.example.org' <<'END'
10.0.0.11 pve1.example.org pve1
10.0.0.12 pve2.example.org pve2
END
    expect_names <<'END'
10.0.0.11 pve1.example.org pve1
10.0.0.12 pve2.example.org pve2
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
    want_units required run ssh
    expect_ticket 10.0.0.12 pve2
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
    want_units present run rrdcached ksmtuned cron lxcfs
    want_units required run pve-cluster
}

# pvecm sets PermitRootLogin to yes without a word. What is there now, or what
# the description says, is put in front of it before pvecm runs; nodes come in
# by key.
step_root_login() {
    on_change ssh
    check_with=sshd_accepts
    want_root_login keep /etc/ssh/sshd_config prohibit-password
    need_sshd_fine
    settle ssh systemctl reload-or-restart ssh
    check_with=''
    expect 'PermitRootLogin is as described' 5 \
        'See: sshd -T | grep -i permitrootlogin' \
        root_login_as_wanted keep
}

# This node creates the cluster. pvecm says "done" too early and exits with 0
# when it fails: what counts is that pmxcfs itself says the node is in the
# cluster and may write.
step_create() {
    need_own_cluster create
    need_own_address 10.0.0.11
    before_pvecm keep 10.0.0.11
    ask_others <<'END'
10.0.0.12 pve2
END
    create_cluster small --link0 10.0.0.11
    if is_member; then want_units present run corosync; fi
    expect 'pve1 is in cluster small, quorate, and may write to /etc/pve' "$limit_quorum" \
        'See: pvecm status; cat /etc/pve/.members; journalctl -b -u corosync -u pve-cluster. Are udp ports 5405-5412 open between the nodes, clocks and MTU alike? If this node was being added and its member waits for it without quorum, on the member: pvecm expected 1, then apply here again. If the others no longer list pve1 (on one of them: pvecm nodes), it was taken out while it was down: back up what guests it still has, then clean it, here: systemctl stop pve-cluster corosync; mkdir -p /root/removed; mv --backup=numbered /var/lib/pve-cluster/config.db* /root/removed/; rm -rf /etc/corosync/authkey /etc/corosync/corosync.conf; systemctl start pve-cluster; and apply again: it joins as a new node. All that /etc/pve held is gone with that: guests of the old cluster must not start here too.' \
        in_quorum
    expect 'corosync has its key and the cluster'\''s configuration' 5 \
        'See: ls -l /etc/corosync; diff /etc/pve/corosync.conf /etc/corosync/corosync.conf. pve-cluster writes the configuration when it starts (systemctl restart pve-cluster) if config_version in /etc/pve/corosync.conf is the higher one; the key is the same on every member (/etc/corosync/authkey).' \
        has_corosync_files
    expect 'PermitRootLogin is as described' 5 \
        'See: sshd -T | grep -i permitrootlogin' \
        root_login_as_wanted keep
}

# The web interface and what belongs to it, enabled and running; the unit that
# starts guests at boot is only enabled where PVE refuses to start it by hand.
step_manager() {
    want_certificate
    want_units present run pvedaemon pveproxy pvestatd pvescheduler spiceproxy pve-firewall pvefw-logger pve-ha-lrm pve-ha-crm qmeventd pve-lxc-syscalld
    want_units present run pve-guests
    expect 'the API answers on https://10.0.0.11:8006' "$limit_api" \
        'See: systemctl status pveproxy pvedaemon; journalctl -b -u pveproxy; ss -tln sport = 8006' \
        api_answers 10.0.0.11
    expect_root_reaches 10.0.0.12 pve2
}

# The steps, in order.
step_names='host time bridge names ssh trust services root-login create manager'

each_step() {
    if step host 'the right host, with the right system'; then step_host; fi
    if step time 'time zone UTC and one time service'; then step_time; fi
    if step bridge 'Ethernet bridge vmbr0 over eth0'; then step_bridge; fi
    if step names 'names of all nodes'; then step_names; fi
    if step ssh 'LC_PVE_TICKET passes through ssh'; then step_ssh; fi
    if step trust 'root'\''s way between the nodes'; then step_trust; fi
    if step services 'services that PVE stands on'; then step_services; fi
    if step root-login 'root'\''s login through ssh'; then step_root_login; fi
    if step create 'cluster small is created'; then step_create; fi
    if step manager 'web interface and its services'; then step_manager; fi
}
