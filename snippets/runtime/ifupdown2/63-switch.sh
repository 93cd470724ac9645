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

# need_brings_up KIND...: classic ifupdown leaves bridges, bonds, and VLANs that are not called
# PARENT.ID to scripts of other packages. It passes over what none of them takes, and reports
# nothing.
need_brings_up() {
    if [ "$phase" = want ] || ! is_classic; then return 0; fi
    for brought in "$@"; do
        case $brought in
            bridge) need {{ m("net.classic_bridge") }} {{ m("net.classic_bridge_do") }} test -x /etc/network/if-pre-up.d/bridge ;;
            bond) need {{ m("net.classic_bond") }} {{ m("net.classic_bond_do") }} test -x /etc/network/if-pre-up.d/ifenslave ;;
            vlan) need {{ m("net.classic_vlan") }} {{ m("net.classic_vlan_do") }} test -x /etc/network/if-pre-up.d/vlan ;;
            named) need_failed {{ m("net.classic_named") }} {{ m("net.classic_named_do") }} ;;
            *) need_failed {{ m("net.classic_aware") }} {{ m("net.classic_aware_do") }} ;;
        esac
    done
    need {{ m("net.classic_state") }} {{ m("net.classic_state_do") }} ifupdown_names
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
