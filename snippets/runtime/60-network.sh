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

# has_broadcast INTERFACE ADDRESS/PREFIX
has_broadcast() {
    look_network
    case $addresses in
        *": $1 "*" $2 brd "*) return 0 ;;
        *) return 1 ;;
    esac
}

# has_some_address INTERFACE: one that is not made by IPv6 itself.
has_some_address() {
    ! has_only_link_local "$1"
}

# has_route GATEWAY INTERFACE: the default route. For IPv4 there is no second one:
# that is the mark of an address on two interfaces.
has_route() {
    case $1 in
        *:*) routes_now=$(ip -6 route show default) ;;
        *) routes_now=$(ip -4 route show default) ;;
    esac
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

has_delay() {
    [ -r "/sys/class/net/$1/bridge/forward_delay" ] || return 1
    read -r delay_now <"/sys/class/net/$1/bridge/forward_delay"
    [ "$delay_now" -eq "$2" ]
}

# holds WHAT COMMAND...: a line of what must be true of the running network.
# Bringing it up asks first which of them are not ($holds_wrong), then waits for
# all of them.
holds() {
    holds_what=$1
    shift
    if [ -z "${probing:-}" ]; then
        expect "$holds_what" "$limit_network" {{ m("net.hint") }} "$@"
    elif ! "$@"; then
        holds_wrong="$holds_wrong$holds_what
"
    fi
}

# bring_up STATE BRIDGES COMMAND...: where the files changed or STATE (a function
# of holds lines) is not so, the command applies the files; then STATE must hold.
# A bridge with guests on it is not taken down.
bring_up() {
    up_state=$1 up_bridges=$2
    shift 2
    holds_wrong=''
    probing=yes
    "$up_state"
    probing=''
    if [ "$phase" = need ]; then
        [ -z "$holds_wrong$step_differs" ] && [ ! -e "$state_dir/pending/network" ] || need_no_guests "$up_bridges"
        return 0
    fi
    if [ "$call" = verify ]; then
        ! is_pending network || point 'not ok' {{ m("net.pending") }}
    elif [ -n "$holds_wrong" ] || is_pending network; then
        if differs {{ m("net.running") }} {{ m("unit.to_run", command=v("$*")) }}; then
            note {{ m("net.switching") }}
            # The login over this very network may die: that must not stop us.
            trap '' HUP
            on_change network
            mark_pending
            run network "$@" ||
                stop {{ m("unit.run_failed", command=v("$*")) }} {{ m("net.hint") }}
            forget_looks
            changed {{ m("net.running") }} {{ m("unit.was_run", command=v("$*")) }}
        elif [ -n "$holds_wrong" ]; then
            detail missing "$holds_wrong"
        fi
    fi
    "$up_state"
    [ "$call" != apply ] || rm -f "$state_dir/pending/network"
}

# need_no_guests BRIDGES: guests lose their network when their bridge goes down,
# and nobody plugs them in again.
need_no_guests() {
    guests=''
    for guests_bridge in $1; do
        for port in "/sys/class/net/$guests_bridge/brif"/*; do
            case ${port##*/} in
                tap* | veth* | fwpr* | fwln*) guests="$guests ${port##*/}" ;;
                *) ;;
            esac
        done
    done
    if [ -n "$guests" ]; then
        need_failed {{ m("net.guests", guests=v("${guests# }"), bridges=v("$1")) }} {{ m("net.guests_do") }}
    fi
}

# answers ADDRESS: it answers a ping, or at least tells its hardware address.
answers() {
    ping -c 1 -W 1 "$1" >/dev/null 2>&1 && return 0
    neighbour=$(ip neigh show to "$1")
    case $neighbour in
        *lladdr*FAILED* | '') return 1 ;;
        *lladdr*) return 0 ;;
        *) return 1 ;;
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

# keep_method DIRECTORY PORT: how the kept address is got, from the bridge's own
# options or, before there are any, from its port's; into $kept_method.
keep_method() {
    kept_method=''
    for kept_options in "$1/options" "$2/options"; do
        [ -r "$kept_options" ] || continue
        kept_method=$(awk -F = '$1 == "BOOTPROTO" { gsub(/["\047 ]/, "", $2); method = $2 } END { print method }' "$kept_options")
        [ -z "$kept_method" ] || break
    done
    case $kept_method in
        static | dhcp | dhcp-static | ipv4ll) ;;
        *)
            [ "$phase" = want ] || need_failed {{ m("net.keep_method", port=v("$2")) }} {{ m("net.keep_method_do") }}
            ;;
    esac
}

# want_options PATH METHOD <<END: an options file whose @method@ is that one.
want_options() {
    options_text=$(awk -v method="$2" '{ sub(/@method@/, method) } { print }')
    want_file "$1" <<END
$options_text
END
}

# package_older NAME VERSION: an installed package is older than the version.
package_older() {
    package_version=$(rpm -q --qf '%{VERSION}' "$1" 2>/dev/null) || return 1
    awk -v have="$package_version" -v than="$2" 'BEGIN {
        n = split(have, a, ".")
        m = split(than, b, ".")
        for (i = 1; i <= n || i <= m; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 < b[i] + 0)
        exit 1
    }'
}
