# Rollback: every path and unit as the store has it from before our first change. What
# others changed since is left, and what a cluster stands on stays.

# roll_back: the steps backwards; it ends the run.
roll_back() {
    in_cluster='' stays=0
    if [ ! -d "$state_dir" ]; then
        rmdir /var/lib/pvegen 2>/dev/null
        out '1..0'
        remark {{ m("rollback.nothing") }}
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
    [ "$stays" -eq 0 ] || remark {{ m("rollback.stays", count=v("$stays"), node=v("$node"), cluster=v("$cluster")) }}
    if [ "$bad" -gt 0 ]; then
        remark {{ m("rollback.bad", count=v("$bad"), state=v("$state_dir")) }}
        exit 1
    fi
    remark {{ m("rollback.done", count=v("$changes")) }}
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
            names) why={{ m("rollback.stays_names") }} ;;
            bridge) why={{ m("rollback.stays_bridge") }} ;;
            ssh | admission) why={{ m("rollback.stays_ssh") }} ;;
            trust) why={{ m("rollback.stays_trust") }} ;;
            root-login) why={{ m("rollback.stays_root_login") }} ;;
            stub) why={{ m("rollback.stays_stub") }} ;;
            services | create | join | manager) why={{ m("rollback.stays_services") }} ;;
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
                        point ok "$1" {{ m("rollback.skip_data") }}
                        forget_kept "$1"
                        ;;
                    *)
                        point 'not ok' {{ m("rollback.not_empty", path=v("$1")) }}
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
        changed "$1" {{ m("file.removed") }}
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
            point 'not ok' {{ m("file.rejected", path=v("$1")) }}
            detail help {{ m("rollback.first", copy=v("$back_copy")) }}
            return 0
        fi
    fi
    mark_pending
    mv -fT "$temporary" "$1" || cannot_write "$1"
    temporary=''
    flush "${1%/*}/"
    forget_kept "$1"
    changed "$1" {{ m("rollback.put_back") }}
}

# leave PATH [MISSING]: it was changed since by others; lines of before are missing in it.
leave() {
    point 'not ok' {{ m("rollback.left", path=v("$1")) }}
    back_copy={{ m("rollback.first", copy=v("$back_copy")) }}
    [ "$kept_kind" != absent ] || back_copy={{ m("rollback.first_none") }}
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
        point 'not ok' {{ m("file.markers", path=v("$1")) }}
        detail help {{ m("file.markers_do") }}
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
            point 'not ok' {{ m("file.rejected", path=v("$1")) }}
            detail help {{ m("rollback.first", copy=v("$back_copy")) }}
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
    changed "$1" {{ m("rollback.taken_out") }}
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
    changed "$1" {{ m("rollback.taken_out") }}
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
                point 'not ok' {{ m("unit.run_failed", command=v("systemctl reload-or-restart $back_unit")) }}
                detail help {{ m("unit.run_failed_do", unit=v("$back_unit")) }}
                continue
            fi
            changed "$back_unit" {{ m("unit.was_run", command=v("systemctl reload-or-restart $back_unit")) }}
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
        why={{ m("rollback.stays_services") }}
        leave_for_cluster "$back_unit"
        return 0
    fi
    case $step in
        services | create | join | manager)
            if has_own_guests; then
                point 'not ok' {{ m("rollback.guests", unit=v("$back_unit"), guests=v("$guests")) }}
                detail help {{ m("net.guests_do") }}
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
        point 'not ok' {{ m("unit.run_failed", command=v("systemctl $1 $unit_id")) }}
        detail help {{ m("unit.run_failed_do", unit=v("$unit_id")) }}
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
        point 'not ok' {{ m("net.guests", guests=v("$guests"), bridges=v("$all_bridges")) }}
        detail help {{ m("net.guests_do") }}
        return 0
    fi
    if [ "$network_manager" = etcnet ] && ! network_is_ours; then return 0; fi
    if ! is_whole "$script_file"; then
        point 'not ok' {{ m("switch.no_file") }}
        detail help {{ m("switch.no_file_do") }}
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
    changed {{ m("net.running") }} {{ m("rollback.put_back") }}
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
