# The store: how paths and units were before our first change of them, on the disk
# before that change. Files are kept in first/ under their own paths; the index has a
# line for each path:
#   steps that changed it, with the tags of their blocks; the unit that is told;
#   what it was first: kind, mode, owner, digest; digests of what we wrote last;
#   "others" where the change of somebody else is in what we wrote; the path.

# open_store: the index into $index.
open_store() {
    [ -z "$index" ] || return 0
    [ -e "$state_dir/index" ] || make_store
    index=$(cat "$state_dir/index" && printf x) || cannot_write "$state_dir"
    index=${index%x}
    case $index in
        '# steps '*"$line_break") ;;
        # Without it we would take what we have made for what was there first.
        *) stop {{ m("store.damaged", index=v("$state_dir/index")) }} {{ m("store.damaged_do", state=v("$state_dir")) }} ;;
    esac
}

make_store() {
    index="# steps told kind mode owner first ours since path$line_break"
    [ ! -d "$state_dir/first" ] || adopt_store
    (umask 077 && mkdir -p "$state_dir/first" "$state_dir/pending" "$state_dir/written") || cannot_write "$state_dir"
    write_index
    rm -f "$state_dir/made"
}

write_index() {
    if ! { printf '%s' "$index" >"$state_dir/index.new" && flush "$state_dir/index.new" &&
        mv -f "$state_dir/index.new" "$state_dir/index" && flush "$state_dir"; }; then
        cannot_write "$state_dir"
    fi
}

# digest_of PATH: what stands there, in a word, into $sum.
digest_of() {
    if [ -L "$1" ]; then
        digest_of_text "$(readlink "$1")"
        sum=link:$sum
    elif [ -f "$1" ]; then
        sum=$(sha256sum <"$1")
        sum=${sum%% *}
    elif [ -d "$1" ]; then
        sum='directory'
    elif [ -e "$1" ]; then
        sum='other'
    else
        sum='absent'
    fi
    : "${sum:=unreadable}"
}

digest_of_text() {
    sum=$(printf '%s' "$1" | sha256sum)
    sum=${sum%% *}
}

# find_kept PATH: its line of the index into variables; false where it has none.
find_kept() {
    case $index in
        *" $1$line_break"*) ;;
        *) return 1 ;;
    esac
    kept_after=${index#*" $1$line_break"}
    kept_before=${index%%" $1$line_break"*}
    kept_line=${kept_before##*"$line_break"}
    kept_before=${kept_before%"$kept_line"}
    # The line is split into its words on purpose.
    # shellcheck disable=SC2086
    kept_set $kept_line
}

kept_set() {
    kept_steps=$1 kept_told=$2 kept_kind=$3 kept_mode=$4 kept_owner=$5 kept_first=$6 kept_ours=$7 kept_since=$8
}

# save_kept PATH: the variables become its line of the index.
save_kept() {
    kept_line="$kept_steps $kept_told $kept_kind $kept_mode $kept_owner $kept_first $kept_ours $kept_since"
    index="$kept_before$kept_line $1$line_break$kept_after"
    write_index
}

# is_listed WORD LIST: whether the list, with commas, has the word.
is_listed() {
    case ",$2," in
        *",$1,"*) return 0 ;;
        *) return 1 ;;
    esac
}

# keep_first PATH WANTED [edited [TAG]]: the path is about to become what has the digest
# WANTED. What stands there is kept, the first time; of an "edited" file, what others
# changed since is in what we write. TAG is that of the block that is written.
keep_first() {
    open_store
    digest_of "$1"
    keep_step=$step${4:+:$4}
    if find_kept "$1"; then
        keep_same=$index
        if ! is_listed "$sum" "$kept_first,$kept_ours"; then
            [ "${3:-}" != edited ] || kept_since=others
            kept_ours=$2
        elif [ "$sum" = "$kept_first" ] || [ "$sum" = "$2" ]; then
            kept_ours=$2
        else
            kept_ours=$sum,$2
        fi
        # What was left of it had our blocks taken out.
        [ "$kept_since" != out ] || kept_since=others
        [ "$kept_told" != - ] || kept_told=${on_change:--}
        is_listed "$keep_step" "$kept_steps" || [ "$step" = admission ] || kept_steps=$kept_steps,$keep_step
        kept_line="$kept_steps $kept_told $kept_kind $kept_mode $kept_owner $kept_first $kept_ours $kept_since"
        [ "$kept_before$kept_line $1$line_break$kept_after" = "$keep_same" ] || save_kept "$1"
    else
        keep_copy "$1"
        kept_before=$index kept_after='' kept_steps=$keep_step kept_told=${on_change:--} kept_ours=$2 kept_since=-
        save_kept "$1"
    fi
}

# keep_copy PATH: what stands there now goes into first/, and into the variables. A copy
# without a line of the index is of a run that died before it changed anything.
keep_copy() {
    kept_first=$sum kept_mode=- kept_owner=-
    case $sum in
        absent)
            kept_kind='absent'
            [ -d "$state_dir/first$1" ] || clear_away "$state_dir/first$1" || cannot_write "$state_dir"
            return 0
            ;;
        link:*) kept_kind='link' ;;
        directory | other) kept_kind=$sum ;;
        *) kept_kind='file' ;;
    esac
    temporary=$state_dir/first$1.new
    if ! { clear_away "$temporary" && make_place "$state_dir/first${1%/*}" && copy_whole "$1" "$temporary" &&
        { [ "$kept_kind" != file ] || flush "$temporary"; } && mv -fT "$temporary" "$state_dir/first$1"; }; then
        cannot_write "$state_dir"
    fi
    temporary=''
    mode_of "$1"
    kept_mode=${mode% *} kept_owner=${mode#* }
}

# mode_of PATH: "MODE UID:GID" into $mode.
mode_of() {
    mode=$(stat -c '%a %u:%g' "$1") || mode='- -'
}

# forget_kept PATH: it is as it was first, or nothing of ours is left in it.
forget_kept() {
    [ -z "${keeps_store:-}" ] || return 0
    find_kept "$1" || return 0
    index=$kept_before$kept_after
    write_index
    # Below a directory there may be copies that are still needed.
    rm -f "$state_dir/first$1" "$state_dir/written$1" "$state_dir/written$1.next" 2>/dev/null
    return 0
}

# keep_unit DID: how the unit stood before the first change of ours, and what we do to
# it: enable, start, disable, stop, mask, or tell (of a change, which may start it).
keep_unit() {
    open_store
    keep_states=$(awk -v unit="$unit" -v step="$step" -v did="$1" '
        $1 == unit && !first { first = $2 " " $3 }
        $1 == unit && $4 == step && $5 == did { found = 1 }
        END { print found ? "known" : first }' "$(existing "$state_dir/units")") || cannot_write "$state_dir/units"
    [ "$keep_states" != known ] || return 0
    keep_file=$unit_file
    case $unit_file in
        # One made of a SysV script says it only when asked.
        - | generated) if systemctl is-enabled "$unit_id" >/dev/null 2>&1; then keep_file=enabled; else keep_file=disabled; fi ;;
        *) ;;
    esac
    if ! { printf '%s %s %s %s\n' "$unit" "${keep_states:-$keep_file $unit_active}" "$step" "$1" >>"$state_dir/units" &&
        flush "$state_dir/units"; }; then
        cannot_write "$state_dir/units"
    fi
}

# keep_state UNIT: the same for what is told of a change, where it is a unit.
keep_state() {
    units_look "$1"
    unit=$1
    unit_facts "$unit"
    [ "$unit_load" != loaded ] || keep_unit tell
}

# adopt_store: an index for a store that an earlier version of this script has made. It
# knew no digests: those of the files that it kept, first and as written, tell.
adopt_store() {
    adopt_known=$(find "$state_dir/first" "$state_dir/written" -type f -exec sha256sum {} + 2>/dev/null)
    adopt_paths=$(
        cat "$(existing "$state_dir/made")"
        find "$state_dir/first" ! -type d | awk -v skip="${#state_dir}" '{ print substr($0, skip + 7) }'
    )
    while IFS= read -r adopt_path; do
        case $adopt_path in
            '' | "$state_dir"/* | */pvegen-close.service) ;;
            *) adopt "$adopt_path" ;;
        esac
    done <<END
$adopt_paths
END
    [ ! -e "$state_dir/units" ] || {
        awk 'NF == 3 {
            step = $1 == "sshd" || $1 == "ssh" ? "ssh" : "services"
            if ($1 ~ /^network/) step = "bridge"
            if ($1 ~ /ntpd|chrony|timesyncd/) step = "time"
            $0 = $0 " " step " -"
        }
        { print }' "$state_dir/units" >"$state_dir/units.new" && mv -f "$state_dir/units.new" "$state_dir/units"
    } || cannot_write "$state_dir"
}

adopt() {
    kept_before=$index kept_after='' kept_told=- kept_kind='absent' kept_mode=- kept_owner=- kept_ours=- kept_since=-
    case $1 in
        /etc/net/* | /etc/network/*) kept_steps=bridge kept_told=network ;;
        /etc/hosts) kept_steps=names ;;
        */sshd_config) kept_steps=ssh:environment,root-login:root_login kept_told=${sshd_unit:--} ;;
        */ssh_config) kept_steps=ssh:environment ;;
        /root/*) kept_steps=trust ;;
        /etc/corosync/*) kept_steps=stub ;;
        *rrdcached*) kept_steps=rrdcached kept_told=rrdcached ;;
        *) kept_steps='time' ;;
    esac
    digest_of "$state_dir/first$1"
    kept_first=$sum
    case $sum in
        absent) ;;
        *)
            kept_kind='file'
            [ ! -L "$state_dir/first$1" ] || kept_kind='link'
            mode_of "$state_dir/first$1"
            kept_mode=${mode% *} kept_owner=${mode#* }
            ;;
    esac
    if [ -e "$state_dir/written$1" ]; then
        digest_of "$state_dir/written$1"
        kept_ours=$sum
    fi
    digest_of "$1"
    case $sum in
        absent | directory | link:*) kept_ours=$kept_ours,$sum ;;
        *)
            case $adopt_known in
                *"$sum"*) kept_ours=$kept_ours,$sum ;;
                *) [ "$kept_ours" != - ] || kept_since=others ;;
            esac
            ;;
    esac
    index="$index$kept_steps $kept_told $kept_kind $kept_mode $kept_owner $kept_first $kept_ours $kept_since $1$line_break"
}
