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
            need_failed {{ m("net.guests", guests=v("$guests"), bridges=v("$bridges_down")) }} {{ m("net.guests_do") }}
        fi
        if [ "$call" = apply ] && [ -n "$step_differs$holds_wrong" ] && [ ! -f "$script_file" ]; then
            need_failed {{ m("switch.no_file") }} {{ m("switch.no_file_do") }}
        fi
        return 0
    fi
    [ ! -d "$switch_dir" ] || tell {{ m("switch.undecided") }}
    if [ "$call" = apply ]; then
        staged='' stage=look
        network_files
        stage=''
        if [ -z "$staged$holds_wrong" ] && ! is_pending network; then
            network_files
        elif [ -z "$holds_wrong" ] && [ "$activate" = now ] && switch_hits_guests; then
            # Only how the files are written has changed: not worth the guests' network.
            network_files
            same {{ m("net.so_already") }}
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
        ! is_pending network || point 'not ok' {{ m("net.pending") }}
    elif [ -n "$holds_wrong" ] || is_pending network; then
        if [ -z "$holds_wrong" ] && switch_hits_guests; then
            same {{ m("net.so_already") }}
        else
            differs {{ m("net.running") }} {{ m("switch.todo") }}
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
    changed {{ m("net.running") }} {{ m("switch.kept") }}
    network_files_after
    switch_end
    forget_looks
}

# switch_run: the old network comes back from here on unless the new one is proved; ends the
# run where it is not.
switch_run() {
    switch_write trying "$switch_manner $confirm_within $confirm $activate $switch_goal" || cannot_write "$switch_dir"
    if [ "$activate" = reboot ] || network_needs_guard; then
        boot_guard || stop {{ m("switch.no_guard") }} {{ m("switch.unchanged_do") }}
    fi
    if [ "$activate" = reboot ]; then switch_at_boot; fi
    # The login over this very network may die, now or later: that must not stop us.
    hup_ignored=yes
    trap '' HUP
    if ! detach pvegen-network-back "$confirm_within" network-back || ! part_runs pvegen-network-back; then
        stop {{ m("switch.no_timer") }} {{ m("switch.unchanged_do") }}
    fi
    undo=switch_undo
    same {{ m("switch.armed", seconds=v("$confirm_within")) }}
    [ -z "$switch_mute" ] || note {{ m("switch.mute", address=v("$switch_mute")) }}
    note {{ m("net.switching") }}
    detach pvegen-network-try 0 network-try || stop {{ m("switch.no_process") }}
    [ "$confirm" != manual ] || tell {{ m("switch.confirm", seconds=v("$confirm_within"), again=v("$again")) }}
    switch_wait
    # The detached part has written the store anew.
    undo='' index=''
    switch_report
    forget_looks
    if [ ! -e "$switch_dir/kept" ]; then
        switch_seen
        switch_end
        stop {{ m("switch.reverted", seconds=v("$confirm_within")) }} \
            {{ m("switch.reverted_do", seen=v("$switch_seen")) }}
    fi
}

# With --activate reboot only files change; the run ends here.
switch_at_boot() {
    undo=switch_undo
    network_files_for_reboot
    undo=''
    changed {{ m("net.running") }} {{ m("switch.at_boot") }}
    end_part_way {{ m("switch.reboot") }}
}

# switch_record: what was there before: who answers, the running network as commands that
# bring it back, and this script for those that run when we are gone.
switch_record() {
    rm -rf "$switch_dir"
    (umask 077 && mkdir -p "$switch_dir/old" /run/pvegen) || return 1
    rm -f /run/pvegen/network /run/pvegen/seen
    { cp "$script_file" "$switch_dir/script.sh" && chmod 600 "$switch_dir/script.sh"; } || return 1
    # Another version may have been put in its place meanwhile.
    is_whole "$switch_dir/script.sh" || stop {{ m("switch.replaced", file=v("$script")) }} {{ m("switch.replaced_do") }}
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
    switch_seen={{ m("switch.nothing_seen") }}
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
        /bin/sh "$other_switch/script.sh" network-settle 8>&- 9>&- || refuse {{ m("switch.other", directory=v("$other_switch")) }}
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
        refuse {{ m("switch.reboot") }}
    elif [ -e "$switch_dir/trying" ] && [ ! -e /run/pvegen/network ] && ! part_runs pvegen-network-try; then
        switch_take_over
    elif [ -e "$switch_dir/trying" ] && [ "$switch_confirm" = manual ] && part_runs pvegen-network-back; then
        refuse {{ m("switch.waits", again=v("$again")) }}
    else
        remark {{ m("switch.under_way", seconds=v("$switch_within")) }}
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
        remark {{ m("switch.was_kept") }}
    else
        switch_seen
        remark {{ m("switch.was_reverted", seen=v("$switch_seen")) }}
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
        holds {{ m("rollback.address") }} has_global_address
    else
        network_proof
    fi
    while [ -z "$holds_wrong" ] && read -r asked; do
        holds {{ m("switch.answers", address=v("$asked")) }} answers "$asked"
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

# bounded COMMAND...: one that hangs does not hold up what puts the old network back.
bounded() {
    run network timeout -k 5 60 "$@"
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
        printf '%s\n' {{ m("switch.nothing") }} >&2
        exit 1
    elif [ ! -e /run/pvegen/network ]; then
        printf '%s\n' {{ m("switch.reboot") }} >&2
        exit 1
    fi
    if [ ! -s /run/pvegen/network ]; then
        printf '%s\n' {{ m("switch.not_up") }} >&2
        exit 1
    fi
    if ! is_proved; then
        switch_seen
        printf '%s\n' {{ m("switch.not_so", seen=v("$switch_seen")) }}
    fi
    if ! switch_keep; then
        if [ -e "$switch_dir/trying" ]; then
            printf '%s\n' {{ m("switch.not_kept", why=v("$switch_why")) }} >&2
        else
            printf '%s\n' {{ m("switch.too_late") }} >&2
        fi
        exit 1
    fi
    printf '%s\n' {{ m("switch.confirmed", again=v("$again")) }}
}

has_carrier() {
    # Of an interface that is down it cannot be read.
    read -r carrier_now 2>/dev/null <"/sys/class/net/$1/carrier" && [ "$carrier_now" = 1 ]
}
