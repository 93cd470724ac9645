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
    other_host={{ m("need.host_other", node=v("$node"), here=v("$here")) }}
    [ "$here" = "$node" ]
}

need_host() {
    [ "$phase" = need ] || return 0
    if right_host; then
        need_met {{ m("need.host", node=v("$node")) }}
    else
        need_failed "$other_host" {{ m("need.host_do", node=v("$node")) }}
    fi
}

# need_mac ADDRESS NIC...: one of these NICs has this MAC address by itself. A NIC that
# is not there is told of by the step that needs it.
need_mac() {
    [ "$phase" = need ] || return 0
    mac_wanted=$1 macs=''
    shift
    for nic in "$@"; do
        mac_of "$nic" || continue
        if [ "$mac" = "$mac_wanted" ]; then
            need_met {{ m("need.mac", nic=v("$nic"), mac=v("$mac")) }}
            return 0
        fi
        macs="$macs $nic=$mac"
    done
    [ -n "$macs" ] || macs=" $*: -"
    mac_holder='-'
    for nic in /sys/class/net/*; do
        # A bridge bears its port's address, and a bond that of one of its NICs.
        if [ -d "$nic/bridge" ] || [ -d "$nic/bonding" ]; then continue; fi
        nic=${nic##*/}
        if mac_of "$nic" && [ "$mac" = "$mac_wanted" ]; then
            mac_holder=$nic
            break
        fi
    done
    need_failed {{ m("need.mac_other", mac=v("$mac_wanted"), found=v("${macs# }")) }} {{ m("need.mac_do", mac=v("$mac_wanted"), holder=v("$mac_holder"), node=v("$node")) }}
}

# mac_of NIC: its own MAC address, into $mac; in a bond it goes by the bond's.
mac_of() {
    mac=''
    if [ -r "/sys/class/net/$1/bonding_slave/perm_hwaddr" ]; then
        read -r mac <"/sys/class/net/$1/bonding_slave/perm_hwaddr"
    elif [ -r "/sys/class/net/$1/address" ]; then
        read -r mac <"/sys/class/net/$1/address"
    fi
    [ -n "$mac" ]
}

# need_machine_id ID: this is that machine, and no copy of it that got an id of its own.
need_machine_id() {
    [ "$phase" = need ] || return 0
    machine_id=''
    [ ! -r /etc/machine-id ] || read -r machine_id </etc/machine-id
    if [ "$machine_id" = "$1" ]; then
        need_met {{ m("need.machine_id") }}
    else
        need_failed {{ m("need.machine_id_other", id=v("$1"), found=v("${machine_id:--}")) }} {{ m("need.machine_id_do", node=v("$node")) }}
    fi
}

need_root() {
    need {{ m("need.root") }} {{ m("need.root_do") }} is_root
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
        *) need_failed {{ m("need.release", file=v("$1"), found=v("${release:-}"), wanted=v("$2")) }} {{ m("need.release_do", target=v("$target")) }} ;;
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
        need_met {{ m("need.series", version=v("$pve_version")) }}
    else
        fits=''
        for fit in "$@"; do
            if [ -e "${fit%%:*}" ] && [ "${fit%:*}" = "${fit%%:*}:${pve_version%%.*}" ]; then
                fits="${fits:+$fits\" or \"}${fit##*:}"
            fi
        done
        series_do={{ m("need.series_do", target=v("$target")) }}
        [ -z "$fits" ] || series_do={{ m("need.series_fits", target=v("$target"), fits=v("$fits")) }}
        need_failed {{ m("need.series_other", version=v("${pve_version:-?}"), wanted=v("$series_wanted")) }} "$series_do"
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
        need_met {{ m("need.commands") }}
    else
        need_failed {{ m("need.commands_missing", missing=v("${missing# }")) }} {{ m("need.commands_do") }}
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
        need_failed {{ m("need.no_packages_by", command=v("$packages_by")) }} {{ m("need.commands_do") }}
    elif [ -z "$missing" ]; then
        need_met {{ m("need.packages", names=v("$*")) }}
    else
        need_failed {{ m("need.packages_missing", said=v("$missing")) }} {{ m("need.packages_do", names=v("$*")) }}
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

# version_of PACKAGE: of an installed package, as upstream counts: "6.1-8" is "6.1.8" to rpm.
version_of() {
    package_version=''
    case $packages_by in
        dpkg)
            # shellcheck disable=SC2016
            package_version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null)
            package_version=${package_version#*:}
            ;;
        *) ! package_said=$(ask_rpm -q --qf '%{VERSION}' "$1" 2>/dev/null) || package_version=$package_said ;;
    esac
    [ -n "$package_version" ]
}

# package_older NAME VERSION: an installed package is older than the version.
package_older() {
    version_of "$1" && version_below "$package_version" "$2"
}

# version_below VERSION OTHER: number by number.
version_below() {
    awk -v have="$1" -v than="$2" 'BEGIN {
        n = split(have, a, /[.-]/)
        m = split(than, b, /[.-]/)
        for (i = 1; i <= n || i <= m; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 < b[i] + 0)
        exit 1
    }'
}

# need_version PACKAGE VERSION WHAT WHAT-TO-DO: what is asked for is of this version and later.
need_version() {
    [ "$phase" = need ] || return 0
    if ! version_of "$1" || version_below "$package_version" "$2"; then
        need_failed {{ m("need.version", what=v("$3"), package=v("$1"), version=v("$2"), found=v("${package_version:-?}")) }} "$4"
    else
        need_met {{ m("need.version_fine", what=v("$3"), package=v("$1"), found=v("$package_version")) }}
    fi
}

# need_rsync_copies VERSION: pvecm before this pve-cluster names two sources in one word,
# which rsync 3.2.4 and later take for one: the member has let the node in by then.
need_rsync_copies() {
    if [ "$phase" = want ] || ! package_older pve-cluster "$1" || is_member; then return 0; fi
    rsync_version=$(rsync --version 2>/dev/null | awk 'NR == 1 { print $3 }')
    if [ -z "$rsync_version" ] || version_below "$rsync_version" 3.2.4; then
        need_met {{ m("join.rsync", version=v("${rsync_version:--}")) }}
    else
        need_failed {{ m("join.rsync_new", version=v("$rsync_version"), package=v("$package_version")) }} {{ m("join.rsync_new_do", wanted=v("$1")) }}
    fi
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
            need_failed {{ m("need.rival", unit=v("$rival")) }} {{ m("need.rival_do", unit=v("$rival")) }}
        fi
    done
    [ -n "$rivals" ] || need_met {{ m("need.no_rival") }}
}

# need_plain_file PATH: a file, or nothing; neither a link nor something else.
need_plain_file() {
    if [ -L "$1" ]; then
        need_failed {{ m("file.is_link", path=v("$1")) }} {{ m("file.is_link_do") }}
        return 1
    elif [ -e "$1" ] && [ ! -f "$1" ]; then
        need_failed {{ m("file.not_plain", path=v("$1")) }} {{ m("file.is_link_do") }}
        return 1
    fi
}

# need_interface NAME UPPERS: a wired interface that nothing but our own bridges and
# bonds uses.
need_interface() {
    [ "$phase" = need ] || return 0
    nic=/sys/class/net/$1
    if [ ! -d "$nic" ]; then
        need_failed {{ m("need.nic", nic=v("$1")) }} {{ m("need.nic_do") }}
    elif [ -d "$nic/wireless" ]; then
        need_failed {{ m("need.nic_wireless", nic=v("$1")) }} {{ m("need.nic_wireless_do") }}
    elif ! free_for "$nic/master" "$2"; then
        need_failed {{ m("need.nic_used", nic=v("$1")) }} {{ m("need.nic_used_do", nic=v("$1")) }}
    else
        need_met {{ m("need.nic_free", nic=v("$1")) }}
    fi
}

# need_free NAME UPPERS: a bond or VLAN, if it is there yet, is in no other bridge.
need_free() {
    [ "$phase" = need ] || return 0
    free_for "/sys/class/net/$1/master" "$2" ||
        need_failed {{ m("need.nic_used", nic=v("$1")) }} {{ m("need.nic_used_do", nic=v("$1")) }}
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
        need_failed {{ m("need.clock_wrong") }} {{ m("need.clock_do") }}
    elif [ "$((now + 86400))" -lt "$last_run" ]; then
        need_failed {{ m("need.clock_back", last=v("$last_day")) }} {{ m("need.clock_back_do", path=v("/var/log/pvegen/$cluster.last")) }}
    else
        need_met {{ m("need.clock") }}
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
        need_met {{ m("need.writable") }}
    else
        need_failed {{ m("need.read_only", mounts=v("${read_only# }")) }} {{ m("need.read_only_do") }}
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
        need_met {{ m("need.space", megabytes=v("$space_wanted")) }}
    else
        for space_on in $space_short; do
            need_failed {{ m("need.no_space", directory=v("${space_on%:*}"), free=v("${space_on##*:}"), megabytes=v("$space_wanted")) }} {{ m("need.no_space_do", directory=v("${space_on%:*}")) }}
        done
    fi
}
