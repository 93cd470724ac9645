# Services, as systemd sees them: one look at all units of the script.

# units_look UNIT...: their states into $units, a line each:
# unit id load active file-state type refuses-start condition when-looked-at
units_look() {
    if [ "${units_at:-}" != "$looks" ]; then
        units_at=$looks
        # All that the steps will ask for, with one process.
        # shellcheck disable=SC2086
        units_seen=$(units_show $unit_names)
    fi
    units=$line_break units_asked=" $* " units_ifs=$IFS
    IFS=$line_break
    for unit_line in $units_seen; do
        case $units_asked in
            *" ${unit_line%% *} "*) units=$units$unit_line$line_break ;;
            *) ;;
        esac
    done
    IFS=$units_ifs
    for unit in "$@"; do
        case $units in
            *"$line_break$unit "*) ;;
            *)
                unit_line=$(units_show "$unit")
                [ -n "$unit_line" ] || unmade {{ m("unit.no_answer", unit=v("$unit")) }} {{ m("unit.no_answer_do") }}
                units=$units$unit_line$line_break
                ;;
        esac
    done
}

units_show() {
    systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p Type \
        -p RefuseManualStart -p ConditionResult -p ConditionTimestampMonotonic -- "$@" 2>/dev/null |
        awk -v asked="$*" '
            BEGIN { count = split(asked, unit, " "); n = 1 }
            function flush_unit() {
                if ("Id" in value) print unit[n], get("Id"), get("LoadState"), get("ActiveState"), \
                    get("UnitFileState"), get("Type"), get("RefuseManualStart"), get("ConditionResult"), \
                    get("ConditionTimestampMonotonic")
                if (seen) n++
                split("", value)
                seen = 0
            }
            function get(name) { return value[name] == "" ? "-" : value[name] }
            /^$/ { flush_unit(); next }
            { cut = index($0, "="); value[substr($0, 1, cut - 1)] = substr($0, cut + 1); seen = 1 }
            END { flush_unit() }'
}

# unit_facts UNIT: what units_look saw of it, into variables.
unit_facts() {
    unit_id=$1 unit_load=not-found unit_active=inactive unit_file=- unit_type=- unit_refuses=no unit_condition=yes
    unit_looked_at=0
    case $units in
        *"$line_break$1 "*)
            unit_words=${units#*"$line_break$1 "}
            # The line is split into its words on purpose.
            # shellcheck disable=SC2086
            unit_set ${unit_words%%"$line_break"*}
            ;;
        *) ;;
    esac
}

unit_set() {
    unit_id=$1 unit_load=$2 unit_active=$3 unit_file=$4 unit_type=$5 unit_refuses=$6 unit_condition=$7
    unit_looked_at=$8
}

# has_unit UNIT: it is there, and nobody has masked it.
has_unit() {
    units_look "$1"
    unit_facts "$1"
    [ "$unit_load" = loaded ]
}

# want_units required|present WHAT UNIT...: each unit is enabled and, unless WHAT
# is "boot", runs. "present": a unit that this system lacks is passed over.
want_units() {
    units_rule=$1 units_what=$2
    shift 2
    if [ "$phase" = need ]; then
        [ "$units_rule" = required ] || return 0
        units_look "$@"
        for unit in "$@"; do
            unit_facts "$unit"
            case $unit_load in
                loaded) ;;
                masked) need_failed {{ m("unit.masked", unit=v("$unit")) }} {{ m("unit.masked_do", unit=v("$unit")) }} ;;
                *) need_failed {{ m("unit.missing", unit=v("$unit")) }} {{ m("unit.missing_do", unit=v("$unit")) }} ;;
            esac
        done
        return 0
    fi
    units_look "$@"
    for unit in "$@"; do
        unit_facts "$unit"
        want_unit
    done
}

# One unit of want_units, its facts in the variables.
want_unit() {
    case $unit_load in
        loaded) ;;
        masked)
            point ok "$unit" {{ m("unit.skip_masked") }}
            return 0
            ;;
        *)
            point ok "$unit" {{ m("unit.skip_missing") }}
            return 0
            ;;
    esac
    unit_boots || enable_unit || return 0
    if [ "$units_what" = boot ] || [ "$unit_refuses" = yes ]; then
        [ "$unit_changed" = yes ] || same {{ m("unit.enabled", unit=v("$unit")) }}
    elif unit_runs; then
        [ "$unit_changed" = yes ] || same {{ m("unit.runs", unit=v("$unit")) }}
    elif [ "$unit_changed" = no ] && unit_unwanted; then
        point ok "$unit" {{ m("unit.skip_condition") }}
    else
        start_unit
    fi
}

# Whether its own start condition was looked at and does not hold here; one that has
# to run is not excused.
unit_unwanted() {
    [ "$units_rule" = present ] && [ "$unit_condition" = no ] && [ "$unit_looked_at" != 0 ]
}

# Whether the unit comes up at boot, or is of a kind that others bring up.
unit_boots() {
    unit_changed=no
    case $unit_file in
        enabled | static | indirect | alias) return 0 ;;
        disabled | linked | linked-runtime | enabled-runtime) return 1 ;;
        # A unit made of a SysV script is "generated", or in old systemd has no state at all.
        *) systemctl is-enabled "$unit_id" >/dev/null 2>&1 ;;
    esac
}

# An alias is enabled by the unit that it stands for.
enable_unit() {
    unit_how={{ m("unit.enable") }}
    if [ "$units_what" = run ] && [ "$unit_refuses" = no ] && ! unit_runs; then unit_how={{ m("unit.enable_start") }}; fi
    differs "$unit" "$unit_how" || return 1
    keep_unit enable
    systemctl enable "$unit_id" >/dev/null 2>&1 ||
        stop {{ m("unit.enable_failed", unit=v("$unit")) }} {{ m("unit.run_failed_do", unit=v("$unit_id")) }}
    forget_looks
    unit_changed=yes
    changed "$unit" {{ m("unit.was_enabled") }}
}

unit_runs() {
    case "$unit_type $unit_active" in
        *' active' | *' reloading') return 0 ;;
        *) return 1 ;;
    esac
}

start_unit() {
    differs "$unit" {{ m("unit.start") }} || return 0
    keep_unit start
    forget_looks
    # One that has failed too often is not even tried any more.
    [ "$unit_active" != failed ] || systemctl reset-failed "$unit_id" >/dev/null 2>&1
    if ! run "$unit" systemctl start "$unit_id" || ! within "$limit_unit" unit_is_up "$unit_id"; then
        # The other units' states are still needed.
        units_kept=$units
        units_look "$unit"
        unit_facts "$unit"
        units=$units_kept
        if unit_unwanted; then
            point ok "$unit" {{ m("unit.skip_condition") }}
        elif [ "$unit_type" = oneshot ] && [ "$unit_active" = inactive ]; then
            changed "$unit" {{ m("unit.was_started") }}
        elif [ "$units_rule" = required ]; then
            stop {{ m("unit.start_failed", unit=v("$unit")) }} {{ m("unit.run_failed_do", unit=v("$unit_id")) }}
        else
            point 'not ok' {{ m("unit.start_failed", unit=v("$unit")) }}
            detail help {{ m("unit.run_failed_do", unit=v("$unit_id")) }}
        fi
        return 0
    fi
    changed "$unit" {{ m("unit.was_started") }}
}

# Up, or plainly not going to be: a failed or finished one is not waited for.
unit_is_up() {
    case $(systemctl is-active "$1") in
        active) return 0 ;;
        activating | reloading | deactivating) return 1 ;;
        *)
            within_left=0
            return 1
            ;;
    esac
}

# unit_is_enabled: the unit comes up at boot by itself. One made of a SysV script is
# "generated", or in old systemd has no state at all.
unit_is_enabled() {
    case "$unit_load $unit_file" in
        'loaded enabled') return 0 ;;
        'loaded generated' | 'loaded -') systemctl is-enabled "$unit_id" >/dev/null 2>&1 ;;
        *) return 1 ;;
    esac
}

# want_one_at_boot UNIT...: the first of them that exists is enabled.
want_one_at_boot() {
    [ "$phase" = want ] || return 0
    units_look "$@"
    units_rule=present units_what=boot
    for unit in "$@"; do
        unit_facts "$unit"
        [ "$unit_load" = loaded ] || continue
        want_unit
        return 0
    done
    point 'not ok' {{ m("unit.none", units=v("$*")) }}
}

# pick_time_service UNIT...: the one that runs, else the first that is enabled, else the
# first that exists, into $time_service.
pick_time_service() {
    units_look "$@"
    time_running='' time_enabled='' time_there='' time_others=''
    for unit in "$@"; do
        unit_facts "$unit"
        [ "$unit_load" = loaded ] || continue
        : "${time_there:=$unit}"
        ! unit_is_enabled || : "${time_enabled:=$unit}"
        ! unit_runs || : "${time_running:=$unit}"
    done
    time_service=${time_running:-${time_enabled:-$time_there}}
    time_id=$(unit_facts "$time_service" && printf '%s' "$unit_id")
    for unit in "$@"; do
        unit_facts "$unit"
        if [ "$unit_load" != loaded ] || [ "$unit_id" = "$time_id" ]; then continue; fi
        if unit_runs || unit_is_enabled; then time_others="$time_others $unit"; fi
    done
    if [ "$phase" = need ]; then
        [ -n "$time_service" ] ||
            need_failed {{ m("time.none", units=v("$*")) }} {{ m("time.none_do", units=v("$*")) }}
    fi
}

# want_no_other_time_service MASKED: two would pull the clock in two directions.
want_no_other_time_service() {
    [ "$phase" = want ] || return 0
    for unit in $time_others; do
        differs "$unit" {{ m("time.stop_other", unit=v("$time_service")) }} || continue
        unit_facts "$unit"
        keep_unit disable
        keep_unit stop
        ! is_word "$unit" "$1" || keep_unit mask
        run "$unit" systemctl disable "$unit_id"
        run "$unit" systemctl stop "$unit_id" ||
            stop {{ m("unit.run_failed", command=v("systemctl stop $unit_id")) }} {{ m("unit.run_failed_do", unit=v("$unit_id")) }}
        # pve-cluster of old would pull it in again.
        ! is_word "$unit" "$1" || run "$unit" systemctl mask "$unit_id"
        forget_looks
        changed "$unit" {{ m("time.stopped_other") }}
    done
}

# own_unit_gone NAME: a unit that a script has made is disabled and away, whatever systemctl
# makes of it.
own_unit_gone() {
    systemctl disable "$1.service" >/dev/null 2>&1
    rm -f "/etc/systemd/system/multi-user.target.wants/$1.service" "/etc/systemd/system/$1.service"
}
