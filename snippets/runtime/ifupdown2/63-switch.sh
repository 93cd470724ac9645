# How ifupdown2 is switched: it has one file, replaced by a rename; the next boot puts the
# old one back where the new one was not proved. Classic ifupdown has the same file and no
# ifreload: it is stopped by the old file and started by the new one.

network_manner() {
    switch_manner=reload
    has_ifreload || switch_manner=restart
}

has_ifreload() {
    command -v ifreload >/dev/null 2>&1
}

# ifreload leaves alone what is as the file says.
network_takes_down() {
    bridges_down=$network_bridges
    has_ifreload || { all_bridges && bridges_down=$all_bridges; }
}

network_needs_guard() {
    [ -n "$staged" ]
}

network_old() {
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
    has_ifreload || stop_network
    switch_files
    start_network
}

# stop_network: classic ifupdown takes down what it brought up; what somebody else did would
# keep its addresses as a port of the bridge.
stop_network() {
    apart ifdown -a --exclude=lo
    for made in $network_interfaces; do
        is_up "$made" || continue
        run network ip address flush dev "$made"
        run network ip link set dev "$made" down
    done
}

start_network() {
    if has_ifreload; then apart ifreload -a; else apart ifup -a; fi
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
    [ ! -e /run/pvegen/network ] || has_ifreload || stop_network
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
    sync
    [ ! -e /run/pvegen/network ] || start_network
}

# stage_file PATH: all that is asked here is whether the file would change.
stage_file() {
    staged=yes
}
