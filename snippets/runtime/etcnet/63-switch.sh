# How etcnet is switched. Where it has profiles (it looks for FILE#PROFILE before FILE),
# the new network is written as a profile beside the old one, tried, and kept by one
# rename: at any moment a reboot finds either the old network or the new one whole.

network_manner() {
    if [ -z "$staged" ]; then
        switch_manner=restart
    elif has_profiles; then
        switch_manner=profile
    else
        switch_manner=exchange
    fi
}

has_profiles() {
    grep -q -s switchto /etc/init.d/network && grep -q -s profiled_filename /etc/net/scripts/functions
}

# uses_no_profile: nobody else uses profiles; our own is there while a switch is tidied up.
uses_no_profile() {
    used_profile=''
    [ ! -r /etc/net/profile ] || read -r used_profile </etc/net/profile
    case $used_profile in
        '' | default | pvegen) return 0 ;;
        *) return 1 ;;
    esac
}

is_our_profile() {
    uses_no_profile && [ "$used_profile" = pvegen ]
}

# etcnet takes all of the network down, whatever of it is described.
network_takes_down() {
    all_bridges
    bridges_down=$all_bridges
}

# Two directories cannot be exchanged at once: without profiles the next boot has to be
# able to put the old ones back.
network_needs_guard() {
    [ "$switch_manner" = exchange ]
}

network_old() {
    [ "$switch_manner" = exchange ] || return 0
    for made in $network_interfaces; do
        [ ! -d "/etc/net/ifaces/$made" ] || cp -a "/etc/net/ifaces/$made" "$switch_dir/old/$made" || return 1
    done
}

network_stage() {
    [ "$switch_manner" = profile ] || return 0
    stage='write'
    network_files
    stage=''
    flush_all
}

network_unstage() {
    rm -f /etc/net/ifaces/*/*#pvegen /etc/net/ifaces/*/.*#pvegen.pvegen /etc/net/.profile.pvegen || return 1
    for made in $network_made; do
        rmdir "/etc/net/ifaces/$made" 2>/dev/null
    done
    return 0
}

network_files_for_reboot() {
    if [ "$switch_manner" = profile ]; then
        network_commit || cannot_write /etc/net/profile
    else
        switch_files
    fi
}

network_do() {
    [ "$switch_manner" = restart ] || take_down_unknown
    case $switch_manner in
        profile) apart /etc/init.d/network switchto pvegen ;;
        exchange)
            # Stopped by the old files and started by the new ones: "restart" would not
            # know any more what it has to take down.
            run network systemctl stop "$network_unit"
            switch_files
            run network systemctl start "$network_unit"
            ;;
        *) run network systemctl restart "$network_unit" ;;
    esac
}

# take_down_unknown: etcnet takes down only what its files describe; what runs without any
# would keep its addresses as a port of the bridge.
take_down_unknown() {
    for made in $network_interfaces; do
        if [ -e "/etc/net/ifaces/$made/options" ] || ! is_up "$made"; then continue; fi
        run network ip address flush dev "$made"
        run network ip link set dev "$made" down
    done
}

# From here on every start of the network is one of the new network.
network_commit() {
    [ "$switch_manner" = profile ] || return 0
    printf 'pvegen\n' >/etc/net/.profile.pvegen && flush /etc/net/.profile.pvegen &&
        mv -f /etc/net/.profile.pvegen /etc/net/profile && flush_all
}

network_is_kept() {
    [ "$switch_manner" != profile ] || is_our_profile
}

# The profile's files become the plain ones; each is there under one name or both.
network_files_after() {
    [ "$switch_manner" != exchange ] || return 0
    network_files
    [ "$switch_manner" = profile ] || return 0
    flush_all
    rm -f /etc/net/profile || cannot_write /etc/net/profile
    flush_all
    network_unstage || cannot_write /etc/net/ifaces
}

# The same for a switch of an earlier run, whatever is described by now.
network_adopt() {
    [ "$switch_manner" = profile ] || return 0
    for adopted in /etc/net/ifaces/*/*#pvegen; do
        [ -f "$adopted" ] || continue
        adopts=${adopted%#pvegen}
        if ! is_stand_in_for_none "$adopted"; then
            content=$(cat "$adopted" && printf x)
            content=${content%x}
            adopts_how=''
            ! grep -q -s -F -x -e "$adopts" "$switch_dir/remember" || adopts_how=remember
            replace "$adopts" '' "$adopts_how"
        fi
    done
    for adopted in /etc/net/ifaces/*/*#pvegen; do
        if [ -f "$adopted" ] && is_stand_in_for_none "$adopted"; then rm -f "${adopted%#pvegen}" || return 1; fi
    done
    flush_all
    rm -f /etc/net/profile || return 1
    flush_all
    network_unstage
}

network_undo() {
    case $switch_manner in
        profile)
            ! is_our_profile || rm -f /etc/net/profile
            flush_all
            if [ -e /run/pvegen/network ]; then
                apart /etc/init.d/network stopwith pvegen
                apart /etc/init.d/network start
            fi
            network_unstage
            ;;
        exchange)
            [ ! -e /run/pvegen/network ] || bounded systemctl stop "$network_unit"
            put_directories_back
            systemctl reset-failed "$network_unit" >/dev/null 2>&1
            [ ! -e /run/pvegen/network ] || bounded systemctl start "$network_unit"
            ;;
        *) ;;
    esac
}

# put_directories_back: the directories of our interfaces as they were, file by file.
put_directories_back() {
    for made in $network_interfaces; do
        for put in "/etc/net/ifaces/$made"/* "/etc/net/ifaces/$made"/.*.pvegen; do
            [ -e "$switch_dir/old/$made/${put##*/}" ] || rm -f "$put" "$state_dir/written$put"
        done
        if [ ! -d "$switch_dir/old/$made" ]; then
            rmdir "/etc/net/ifaces/$made" 2>/dev/null
            continue
        fi
        mkdir -p "/etc/net/ifaces/$made"
        for put in "$switch_dir/old/$made"/*; do
            [ -f "$put" ] || continue
            cmp -s "$put" "/etc/net/ifaces/$made/${put##*/}" || {
                rm -f "$state_dir/written/etc/net/ifaces/$made/${put##*/}"
                set_back "$put" "/etc/net/ifaces/$made/${put##*/}"
            }
        done
    done
    flush_all
}

# stage_file PATH REMEMBER: what the profile is to have in its place. An empty file would
# not do: etcnet would fall back to the plain one.
stage_file() {
    staged=yes
    [ "$stage" = write ] || return 0
    if [ -n "$content" ]; then
        digest_of_text "$content"
        keep_first "$1" "$sum"
    else
        keep_first "$1" absent
        content="$stage_none$line_break"
    fi
    [ "$2" != remember ] || printf '%s\n' "$1" >>"$switch_dir/remember" || cannot_write "$switch_dir"
    replace "$1#pvegen" ''
}

is_stand_in_for_none() {
    stands=''
    read -r stands <"$1"
    [ "$stands" = "$stage_none" ]
}
