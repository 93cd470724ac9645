# Files: what is wanted is compared, shown, and put in place whole; what stood
# there first is kept in the store.

# want_file PATH [MODE] <<END: the file has just this content.
want_file() {
    if [ "$phase" = need ]; then
        need_plain_file "$1" || return 0
        if cmp -s - "$1" && has_mode "$1" "${2:-}"; then
            looks_same "$1"
            return 0
        fi
        : "${step_differs:=yes}"
        need_safe "$1"
        if [ -z "$overwrite" ] && changed_by_hand "$1"; then
            need_failed {{ m("file.by_hand", path=v("$1")) }} {{ m("file.by_hand_do", again=v("$again")) }} \
                "$(difference "$state_dir/written$1" "$1")"
        fi
    elif is_same "$1"; then
        same "$1"
        tidy "$1"
        [ "$call" != apply ] || follow_hand "$1"
    else
        content=$(cat && printf x) || content=''
        put "$1" "${2:-}" remember
    fi
}

# want_edited PATH FILTER [ARGUMENT...] <<END: the file is as the filter makes it
# of what it is now and of the lines given. "FILTER ... test PATH" says by its
# exit status whether that is so (1: no; 5: no, and what it prints would be lost),
# "FILTER ... print PATH" prints it.
want_edited() {
    edited=$1
    shift
    if [ "$phase" = need ]; then
        need_plain_file "$edited" || return 0
        edited_said=$("$@" test "$edited")
        case $?$overwrite in
            0 | 0yes) looks_same "$edited $*" ;;
            1 | 1yes | 5yes)
                : "${step_differs:=yes}"
                need_safe "$edited"
                ;;
            5) need_failed {{ m("net.else", path=v("$edited")) }} {{ m("net.else_do", lines=v("$edited_said"), again=v("$again")) }} ;;
            4 | 4yes) need_failed {{ m("net.keep_none", path=v("$edited")) }} {{ m("net.keep_none_do") }} ;;
            *) need_failed {{ m("file.markers", path=v("$edited")) }} {{ m("file.markers_do") }} ;;
        esac
    elif is_same "$edited $*"; then
        same "$edited"
        tidy "$edited"
    else
        edited_tag=''
        [ "$1" != block_filter ] || edited_tag=${2#*: }
        # A line of the store is made of words.
        case $edited_tag in *' '*) edited_tag=${edited_tag%% *}_${edited_tag#* } ;; *) ;; esac
        content=$("$@" print "$edited" && printf x) || content=''
        put "$edited" '' edited "$edited_tag"
    fi
}

# want_block PATH TAG first|last <<END: the file has these lines between two markers
# of ours, before ("first") or after all that is not ours. No lines: no block.
want_block() {
    want_edited "$1" block_filter "pvegen $cluster: $2" "$3"
}

# want_no_block PATH TAG: a block of ours from an earlier description is gone.
want_no_block() {
    if is_same "no $2 in $1"; then return 0; fi
    if grep -q -s -F -x -e "# BEGIN pvegen $cluster: $2" "$1"; then
        want_edited "$1" block_filter "pvegen $cluster: $2" last </dev/null
    else
        looks_same "no $2 in $1"
    fi
}

block_filter() {
    awk -v tag="$1" -v where="$2" -v mode="$3" '
        part == "want" { want = want $0 "\n"; next }
        { have = have $0 "\n" }
        $0 == "# BEGIN " tag {
            inside = 1
            # It stays where it is, unless it has to be first and is not.
            if (where == "last" || !others) { before = rest; rest = ""; placed = 1 }
            next
        }
        $0 == "# END " tag { inside = 0; next }
        inside { next }
        /^# BEGIN pvegen / { foreign = 1 }
        { rest = rest $0 "\n"; if (!foreign) others = 1 }
        /^# END pvegen / { foreign = 0 }
        END {
            if (inside) exit 3
            if (want != "") want = "# BEGIN " tag "\n" want "# END " tag "\n"
            if (placed) made = before want rest
            else made = where == "first" ? want rest : rest want
            if (mode == "test") exit made != have
            printf "%s", made
        }' part=want - part=have "$(existing "$4")"
}

# existing PATH: the path, or an empty file where there is nothing.
existing() {
    if [ -e "$1" ]; then printf '%s\n' "$1"; else printf '/dev/null\n'; fi
}

# want_setting PATH NAME VALUE: a NAME=VALUE line in a file that exists.
want_setting() {
    [ -e "$1" ] || return 0
    want_edited "$1" setting_filter "$2" "$3" </dev/null
}

setting_filter() {
    awk -v name="$1" -v value="$2" -v mode="$3" '
        { line = $0 }
        $0 ~ "^[ \t]*" name "=" { gsub(/["\047]/, "", line) }
        { have = have line "\n" }
        $0 ~ "^[ \t]*" name "=" {
            if (!done) made = made name "=" value "\n"
            done = 1
            next
        }
        { made = made $0 "\n" }
        END {
            if (!done) made = made name "=" value "\n"
            if (mode == "test") exit made != have
            printf "%s", made
        }' "$4"
}

# want_copy PATH SOURCE...: the file is a copy of the first source that exists.
want_copy() {
    copied=$1
    shift
    for copy_source in "$@"; do
        if [ -f "$copy_source" ]; then
            want_file "$copied" <"$copy_source"
            return 0
        fi
    done
    [ "$phase" != need ] || [ -f "$copied" ] ||
        need_failed {{ m("file.no_source", path=v("$copied"), sources=v("$*")) }} {{ m("file.no_source_do") }}
}

# want_directory PATH: the directory is there.
want_directory() {
    if [ "$phase" = need ]; then
        if [ ! -d "$1" ]; then
            : "${step_differs:=yes}"
            need_safe "$1"
        fi
        if [ ! -d "$1" ] && { [ -e "$1" ] || [ -L "$1" ]; }; then
            need_failed {{ m("file.not_directory", path=v("$1")) }}
        fi
    elif [ -d "$1" ]; then
        same "$1/"
    elif [ "$stage" = look ]; then
        staged=yes
    elif differs "$1/" {{ m("file.create") }}; then
        mark_pending
        make_directory "$1"
        changed "$1/" {{ m("file.created") }}
    fi
}

# make_directory PATH: with those above it that are not there yet.
make_directory() {
    case ${1%/*} in
        '') ;;
        *) [ -d "${1%/*}" ] || make_directory "${1%/*}" ;;
    esac
    keep_first "$1" directory
    mkdir "$1" || cannot_write "$1"
}

# want_absent PATH: there is no such file.
want_absent() {
    if [ "$phase" = need ]; then
        if [ -e "$1" ] || [ -L "$1" ]; then
            : "${step_differs:=yes}"
            need_safe "$1"
        fi
        [ -L "$1" ] || need_plain_file "$1"
        return 0
    elif [ ! -e "$1" ] && [ ! -L "$1" ]; then
        same {{ m("file.absent", path=v("$1")) }}
        tidy "$1"
        return 0
    elif [ -n "$stage" ]; then
        content=''
        stage_file "$1" ''
        return 0
    fi
    absent_shown=$(difference "$1" /dev/null)
    if differs "$1" {{ m("file.remove") }}; then
        mark_pending
        keep_first "$1" absent
        tidy "$1"
        { rm -f "$1" && flush "${1%/*}"; } || cannot_write "$1"
        changed "$1" {{ m("file.removed") }}
    else
        touched="$touched $on_change"
    fi
    detail diff "$absent_shown"
}

# want_not_ours PATH: a file that an earlier description had this script write is gone.
want_not_ours() {
    [ ! -e "$state_dir/written$1" ] || want_absent "$1"
}

# want_moved FROM TO: what FROM holds is in TO, and FROM is gone.
want_moved() {
    if [ "$phase" = need ]; then
        [ ! -e "$1" ] || : "${step_differs:=yes}"
        need_plain_file "$1" && need_plain_file "$2" || return 0
        if [ -s "$1" ] && [ -s "$2" ] && ! cmp -s "$1" "$2"; then
            need_failed {{ m("file.both", one=v("$1"), other=v("$2")) }} {{ m("file.both_do") }}
        fi
        [ ! -e "$1" ] || need_safe "$2"
    elif [ ! -e "$1" ]; then
        same {{ m("file.moved", path=v("$1"), to=v("$2")) }}
    else
        content=$(cat "$1" && printf x) || content=''
        [ -s "$2" ] || put "$2" '' edited
        want_absent "$1"
    fi
}

# want_link PATH TARGET: the path is a symbolic link that ends at the target.
want_link() {
    if [ "$phase" = need ]; then
        [ -L "$1" ] || need_plain_file "$1" || return 0
        if links_to "$1" "$2"; then looks_same "$1 -> $2"; else need_safe "$1"; fi
        return 0
    fi
    if is_same "$1 -> $2" || links_to "$1" "$2"; then
        same "$1 -> $2"
        tidy "$1"
    elif differs "$1 -> $2" {{ m("file.link") }}; then
        digest_of_text "$2"
        keep_first "$1" "link:$sum"
        temporary_of "$1"
        if ! { rm -f "$temporary" && ln -sn "$2" "$temporary" && mv -fT "$temporary" "$1" && flush "${1%/*}"; }; then
            cannot_write "$1"
        fi
        temporary=''
        changed "$1 -> $2" {{ m("file.linked") }}
    fi
}

# links_to PATH TARGET: it is a symbolic link, and ends there.
links_to() {
    [ -L "$1" ] || return 1
    [ "$(readlink "$1")" != "$2" ] || return 0
    # A readlink that is out of order says the same of both.
    link_end=$(readlink -f "$1")
    [ -e "$link_end" ] && [ "$link_end" = "$(readlink -f "$2")" ]
}

# put PATH MODE remember|edited [TAG]: $content (with an x behind it) becomes the file,
# if the call is to change anything; the difference is shown either way.
put() {
    # A command that was killed or failed has made nothing of it, which is not an empty file.
    [ -n "$content" ] || unmade {{ m("file.unmade", path=v("$1")) }} {{ m("file.unmade_do") }}
    content=${content%x}
    if [ -e "$1" ] && printf '%s' "$content" 2>/dev/null | cmp -s - "$1" && has_mode "$1" "$2"; then
        same "$1"
        tidy "$1"
        return 0
    elif [ -n "$stage" ]; then
        stage_file "$1" "${3:-}"
        return 0
    fi
    put_how={{ m("file.change") }}
    [ -e "$1" ] || put_how={{ m("file.create") }}
    if [ "$call" = apply ]; then
        mark_pending
        digest_of_text "$content"
        keep_first "$1" "$sum" "$3" "${4:-}"
        put_shown=$(printf '%s' "$content" | difference "$1" -)
        replace "$1" "$2" "$3"
        changed "$1" "$put_how"
        detail diff "$put_shown"
    else
        differs "$1" "$put_how" || detail diff "$(printf '%s' "$content" | difference "$1" -)"
        touched="$touched $on_change"
    fi
}

# difference PATH OTHER: unified diff without its two lines of file names.
difference() {
    diff -u "$(existing "$1")" "$2" | tail -n +3
}

# replace PATH MODE [remember]: $content in a temporary file beside it, with the
# old one's owner, mode and attributes, synced, renamed over it.
replace() {
    temporary_of "$1"
    clear_away "$temporary" || cannot_write "$1"
    if [ -e "$1" ]; then
        copy_whole "$1" "$temporary" || cannot_write "$1"
    else
        { true >"$temporary" && chmod "${2:-644}" "$temporary"; } || cannot_write "$1"
    fi
    printf '%s' "$content" >"$temporary" || cannot_write "$1"
    [ -z "$2" ] || chmod "$2" "$temporary" || cannot_write "$1"
    flush "$temporary" || cannot_write "$1"
    if [ -n "$check_with" ] && ! "$check_with" "$temporary"; then
        rm -f "$temporary"
        stop {{ m("file.rejected", path=v("$1")) }} {{ m("file.rejected_do") }}
    fi
    if [ "${3:-}" = remember ]; then
        { make_place "$state_dir/written${1%/*}" && cp -p "$temporary" "$state_dir/written$1.next"; } || cannot_write "$1"
    fi
    { mv -f "$temporary" "$1" && flush "${1%/*}"; } || cannot_write "$1"
    temporary=''
    [ "${3:-}" != remember ] || mv -f "$state_dir/written$1.next" "$state_dir/written$1" || cannot_write "$state_dir"
}

# temporary_of PATH: sets $temporary to the name beside it that we write under.
temporary_of() {
    temporary=${1%/*}/.${1##*/}.pvegen
}

# tidy PATH: what a run that was killed left beside it is gone.
tidy() {
    [ "$call" = apply ] || return 0
    temporary_of "$1"
    if [ -f "$temporary" ] || [ -L "$temporary" ]; then rm -f "$temporary"; fi
    temporary=''
}

# clear_away PATH: no file or link is there, and no process was started for nothing.
clear_away() {
    if [ -e "$1" ] || [ -L "$1" ]; then rm -f "$1"; fi
}

# make_place DIRECTORY: it is there, and what is above it.
make_place() {
    [ -d "$1" ] || mkdir -p "$1"
}

# copy_whole PATH COPY: with owner, mode and all attributes. $temporary is the copy.
copy_whole() {
    cp -a "$1" "$2" || return 1
    same_attributes "$1" "$2" && return 0
    rm -f "$temporary"
    temporary=''
    copy_place=${2%/*}
    stop {{ m("file.attributes", path=v("$1")) }} {{ m("file.attributes_do", path=v("$1"), directory=v("$copy_place")) }}
}

# same_attributes PATH COPY: the copy has the access list, the label and all other
# extended attributes too; not every cp copies them.
same_attributes() {
    command -v getfattr >/dev/null 2>&1 || return 0
    attributes=$(attributes_of "$1")
    [ "$attributes" != "$(attributes_of "$2")" ] || return 0
    # One that fails may not have read all: that is told below, and not by printf.
    (cd "${2%/*}/" && printf '# file: %s\n%s\n' "${2##*/}" "$attributes" 2>/dev/null | setfattr --restore=-)
    [ "$attributes" = "$(attributes_of "$2")" ]
}

# attributes_of PATH: all of its extended attributes, a line each. Before them stands the name,
# which has no line break.
attributes_of() {
    named=$(getfattr --absolute-names -h -d -m - -e hex "$1" 2>/dev/null)
    printf '%s\n' "${named#*"$line_break"}"
}

# need_safe PATH: nothing is lost and nobody can come between when it is written
# or removed. Asked only of what differs.
need_safe() {
    safe_in=${1%/*}
    until [ -d "$safe_in/" ]; do safe_in=${safe_in%/*}; done
    safe_in=$(cd -P "$safe_in/" && pwd -P)
    safe_path=$1 safe_part=$safe_in
    set --
    while [ -n "${safe_part%/}" ]; do
        set -- "$@" "$safe_part"
        safe_part=${safe_part%/*}
    done
    for safe_part in $(others_write / "$@"); do
        need_failed {{ m("file.open_place", path=v("$safe_path"), directory=v("$safe_part")) }} {{ m("file.open_place_do", directory=v("$safe_part")) }}
    done
    if [ -z "$overwrite" ] && [ -f "$safe_path" ] && [ -n "$(find "$safe_path" -prune -type f -links +1)" ]; then
        need_failed {{ m("file.hard_links", path=v("$safe_path")) }} {{ m("file.hard_links_do", path=v("$safe_path"), again=v("$again")) }}
    fi
    safe_part=$(lsattr -d "$safe_in" "$safe_path" 2>/dev/null | awk '$1 ~ /[ai]/ { print $2; exit }')
    [ -z "$safe_part" ] ||
        need_failed {{ m("file.protected", path=v("$safe_part")) }} {{ m("file.protected_do", path=v("$safe_part")) }}
    temporary_of "$safe_path"
    if [ -d "$temporary" ] && [ ! -L "$temporary" ]; then
        need_failed {{ m("file.in_the_way", path=v("$temporary")) }} {{ m("file.in_the_way_do") }}
    fi
    temporary=''
}

# others_write DIRECTORY...: those of them that are none, or not root's alone to write to.
others_write() {
    find "$@" -prune ! '(' -type d -user 0 ! -perm -020 ! -perm -002 ')'
}

# unmade WHY WHAT-TO-DO: what a command ought to have said is not known.
unmade() {
    [ "$phase $call" != 'need apply' ] && [ "$call" != check ] || refuse "$1; $2"
    stop "$1" "$2"
}

cannot_write() {
    [ -z "$temporary" ] || rm -f "$temporary"
    temporary=''
    stop {{ m("file.failed", path=v("$1")) }} {{ m("file.failed_do") }}
}

# flush PATH: the file's data is on the disk (sync of old systems takes no name, warns
# and syncs all).
flush() {
    sync "$1" 2>/dev/null
}

# flush_all: all that was written in /etc and beside is on the disk. Of these file systems alone:
# a mounted one whose server is reached only over the network that is switched would be
# waited for until it is back, which is never.
flush_all() {
    sync -f /etc/. "$state_dir/." 2>/dev/null || sync
}

# changed_by_hand PATH: whether somebody changed the file since we last wrote it.
changed_by_hand() {
    [ -e "$1" ] && [ -e "$state_dir/written$1" ] && ! cmp -s "$1" "$state_dir/written$1" &&
        ! cmp -s "$1" "$state_dir/written$1.next"
}

# follow_hand PATH: what somebody wrote by hand is what is described by now.
follow_hand() {
    # What a run that was killed had not put in its place yet.
    [ ! -e "$state_dir/written$1.next" ] || mv -f "$state_dir/written$1.next" "$state_dir/written$1" ||
        cannot_write "$state_dir"
    changed_by_hand "$1" || return 0
    digest_of "$1"
    keep_first "$1" "$sum"
    cp -p "$1" "$state_dir/written$1" || cannot_write "$state_dir"
}

# has_mode PATH MODE: whether the file's mode is this one; any is where none is given.
has_mode() {
    [ -z "$2" ] || [ -n "$(find "$1" -prune -perm "$2")" ]
}

# looks_same WHAT, is_same WHAT: what the first pass saw need not be looked at
# again in the second, unless a command ran between.
looks_same() {
    same_paths="$same_paths$1|"
}

is_same() {
    case $same_paths in
        *"|$1|"*) return 0 ;;
        *) return 1 ;;
    esac
}

# on_change UNIT: what changes from here on in this step needs the unit to be
# told; remembered on disk first, so that a killed run does not forget it.
on_change() {
    on_change=$1
}

mark_pending() {
    [ -n "$on_change" ] || return 0
    if ! (umask 077 && make_place "$state_dir/pending" && true >>"$state_dir/pending/$on_change"); then
        cannot_write "$state_dir"
    fi
}

# is_pending UNIT: whether a change waits for the unit to be told.
is_pending() {
    is_word "$1" "$touched" || [ -e "$state_dir/pending/$1" ]
}

# settle UNIT COMMAND...: the command tells the unit of what has changed.
settle() {
    [ "$phase" = want ] || return 0
    is_pending "$1" || return 0
    settled=$1
    shift
    differs "$settled" {{ m("unit.to_run", command=v("$*")) }} || return 0
    if [ -n "$check_with" ] && ! "$check_with"; then
        stop {{ m("unit.rejects", unit=v("$settled")) }} {{ m("file.rejected_do") }}
    fi
    keep_state "$settled"
    run "$settled" "$@" || stop {{ m("unit.run_failed", command=v("$*")) }} {{ m("unit.run_failed_do", unit=v("$settled")) }}
    rm -f "$state_dir/pending/$settled" || cannot_write "$state_dir"
    changed "$settled" {{ m("unit.was_run", command=v("$*")) }}
}
