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

# is_vlan INTERFACE ID PARENT: the file begins with "NAME  VID: 10".
is_vlan() {
    [ -r "/proc/net/vlan/$1" ] && [ -e "/sys/class/net/$1/lower_$3" ] || return 1
    read -r _ _ vlan_now _ <"/proc/net/vlan/$1"
    [ "$vlan_now" -eq "$2" ]
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
        expect "$holds_what" "$limit_network" {{ m("net.hint") }} "$@"
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

# keep_method DIRECTORY PORT: how the kept address is got, from the bridge's own
# options or, before there are any, from its port's; into $kept_method.
keep_method() {
    kept_method='' kept_ipv6=no
    if [ -s "$1/ipv6address" ] || [ -s "$2/ipv6address" ]; then kept_ipv6=yes; fi
    for kept_options in "$1/options" "$2/options"; do
        [ -r "$kept_options" ] || continue
        kept_method=$(awk -F = '$1 == "BOOTPROTO" { gsub(/["\047 ]/, "", $2); method = $2 } END { print method }' "$kept_options")
        [ -z "$kept_method" ] || break
    done
    case $kept_method in
        static)
            [ "$phase" = want ] || [ -s "$1/ipv4address" ] || [ -s "$2/ipv4address" ] ||
                need_failed {{ m("net.keep_nothing", port=v("$2")) }} {{ m("net.keep_method_do") }}
            ;;
        dhcp | dhcp-static | ipv4ll) ;;
        *)
            [ "$phase" = want ] || need_failed {{ m("net.keep_method", port=v("$2")) }} {{ m("net.keep_method_do") }}
            ;;
    esac
}

# need_not_disabled: etcnet's defaults let it bring interfaces up; NetworkManager's
# package, for one, says in them that it must not.
need_not_disabled() {
    [ "$phase" = need ] || return 0
    disabled=$(
        for disabled_by in options options-eth options-bri options-bond options-vlan; do
            [ ! -r "/etc/net/ifaces/default/$disabled_by" ] || awk -F = '
                { gsub(/["\047 \t]/, "") }
                toupper($1) == "DISABLED" || toupper($1) == "NM_CONTROLLED" { off[$1] = tolower($2) ~ /^(yes|true|1|on)$/ }
                END { for (key in off) if (off[key]) { print FILENAME; exit } }' "/etc/net/ifaces/default/$disabled_by"
        done
    )
    [ -z "$disabled" ] || need_failed {{ m("net.disabled", files=v("$disabled")) }} {{ m("net.disabled_do") }}
}

# want_options PATH METHOD IPV6 <<END: an options file with that @method@ and @ipv6@.
want_options() {
    options_text=$(awk -v method="$2" -v ipv6="$3" '{ sub(/@method@/, method); sub(/@ipv6@/, ipv6) } { print }') ||
        unmade {{ m("file.unmade", path=v("$1")) }} {{ m("file.unmade_do") }}
    want_file "$1" <<END
$options_text
END
}

# need_nothing_else DIRECTORY IPV6 [BRIDGE ADDRESS]: before its files are replaced, they
# hold nothing that the description does not state: routes, further addresses, with IPV6
# "no" any of IPv6. Once the bridge above a port has an address, one of the port's own
# that is neither this nor the described one is another's. --overwrite lets it go.
need_nothing_else() {
    if [ "$phase" = want ] || [ -z "$step_differs" ] || [ -n "$overwrite" ] || [ ! -d "$1" ]; then return 0; fi
    else_known=''
    if [ -n "${3:-}" ] && [ -s "$3/ipv4address" ]; then
        else_known=" $4 $(awk '!/^[ \t]*(#|$)/ { print $1; exit }' "$3/ipv4address") "
    fi
    else_lines=$(
        for else_file in ipv4address ipv4route ipv6address ipv6route; do
            [ ! -s "$1/$else_file" ] || awk -v file="$else_file" -v ipv6="$2" -v known="$else_known" '
                /^[ \t]*(#|$)/ { next }
                file == "ipv4address" && !first++ && (known == "" || index(known, " " $1 " ")) { next }
                file == "ipv4route" && /^[ \t]*((add|append|replace|change)[ \t]+)?default[ \t]/ { next }
                file ~ /^ipv6/ && ipv6 == "yes" { next }
                { print file ": " $0 }' "$1/$else_file"
        done
    )
    [ -z "$else_lines" ] ||
        need_failed {{ m("net.else", path=v("$1")) }} {{ m("net.else_do", lines=v("$else_lines"), again=v("$again")) }}
}

# etcnet_knows OPTION: its scripts make something of the option.
etcnet_knows() {
    grep -r -q -s -F -w -e "$1" /etc/net/scripts
}
