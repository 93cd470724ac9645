# /etc/network/interfaces: our stanzas in place of those that were there for the
# same interfaces, all others kept.

# want_interfaces PATH NAMES KEPT [mirror] <<END: NAMES are the interfaces that the
# lines are for; KEPT is the bridge, then its port: what they have had is taken over
# where the lines say @method@, @options@ or @dns@. Addresses that would be lost are a
# reason to refuse, but not in a mere mirror of the configuration.
want_interfaces() {
    want_edited "$1" interfaces_filter "$2" "$3" "${4:-}"
}

interfaces_filter() {
    awk -v names="$1" -v kept="$2" -v mirror="$3" -v mode="$4" -v tag="pvegen $cluster" '
        BEGIN {
            count = split(names, name, " ")
            for (i = 1; i <= count; i++) ours[name[i]] = 1
            split(kept, keep, " ")
        }
        part == "want" {
            want[++wanted] = $0
            if ($1 == "iface") stated[$2, $3] = 1
            if ($1 == "address") described[bare($2)] = 1
            if ($0 == "@options@") takes_over = 1
            next
        }
        { have = have $0 "\n"; sub(/\r$/, "") }
        # What stands between our marks and is not described any more is gone.
        $0 == "# BEGIN " tag { inside = 1; next }
        $0 == "# END " tag { inside = 0; stanza = ""; next }
        # A line that ends in a backslash goes on in the next one.
        more { more = /\\$/; take($0); next }
        { more = /\\$/ }
        $1 == "iface" {
            family = $3 == "" || $3 == "inherits" ? "inet" : $3
            stanza = inside ? "gone" : ""
            if (ours[$2] && (inside || family == "inet" || stated[$2, family])) {
                stanza = $2
                if (family == "inet") method[stanza] = $4
            }
            if (stanza == "") put($0)
            if ($2 == "lo") loopback = 1
            next
        }
        inside && ($1 == "auto" || $1 ~ /^allow-/) { next }
        $1 == "auto" || $1 ~ /^allow-/ {
            stanza = ""
            line = ""
            for (i = 2; i <= NF; i++) if (!ours[$i]) line = line " " $i
            if (line != "") put($1 line)
            next
        }
        $1 == "mapping" || $1 ~ /^source/ || $1 == "rename" || $1 == "no-auto-down" || $1 == "no-scripts" { stanza = "" }
        { take($0) }

        # A line of the stanza that we are in: kept, or of one that is ours.
        function take(text,    n, i, word) {
            if (stanza == "" || (text ~ /^#/ && !inside)) put(text)
            else if (text ~ /^[ \t]*address[ \t]/) {
                n = split(text, word, /[ \t]+/)
                for (i = word[1] == "" ? 3 : 2; i <= n; i++) {
                    had[stanza " " family] = had[stanza " " family] " " bare(word[i])
                    if (described[bare(word[i])]) any[family] = 1
                }
            }
            if (stanza == "" || (text ~ /^#/ && !inside)) return
            if (family == "inet" && text !~ /^[ \t]*(#|$)/) {
                sub(/\\\n$/, " ", option[stanza])
                option[stanza] = option[stanza] text "\n"
            }
        }
        # An address without the length behind it.
        function bare(text) {
            sub(/\/.*$/, "", text)
            return tolower(text)
        }
        # Addresses that nobody describes, their count: where a described one is there
        # already all are further ones, else it takes the place of each one.
        function further(    which, n, i, address, seen, kept_one, count) {
            for (which in had) {
                n = split(had[which], address, " ")
                kept_one = any[substr(which, index(which, " ") + 1)]
                for (i = 1; i <= n; i++) {
                    if (described[address[i]] || seen[which, address[i]]++) continue
                    if (kept_one && ++count) print substr(which, 1, index(which, " ") - 1) ": address " address[i]
                    kept_one = 1
                }
            }
            return count
        }
        function put(text) {
            if (text ~ /^source/ && !split_at) split_at = lines + 1
            line_of[++lines] = text
        }
        function carries(which) { return method[which] == "dhcp" || option[which] ~ /(^|\n)[ \t]*address/ }
        # Those options of a stanza whose name fits, or with "not" does not.
        function options(which, pattern, not,    i, n, part_of, word, out) {
            n = split(option[which], part_of, "\n")
            for (i = 1; i < n; i++) {
                split(part_of[i], word, /[ \t]+/)
                if (word[1] == "") word[1] = word[2]
                if ((word[1] ~ pattern) != not) out = out part_of[i] "\n"
            }
            return out
        }
        # What a stanza of ours says of its interface; all else it has had goes on.
        function others(which) {
            return options(which, "^(address|netmask|network|broadcast|gateway|dns-.*" \
                "|bridge[-_](ports|stp|fd|vlan[-_]aware|vids)|vlan[-_].*|vlan" \
                "|slaves|bond[-_](slaves|mode|miimon|xmit[-_]hash[-_]policy)" (with_mtu[which] ? "|mtu" : "") ")$", 1)
        }
        function block(    from, out, i, now) {
            out = "# BEGIN " tag "\n"
            from = carries(keep[1]) ? keep[1] : keep[2]
            for (i = 1; i <= wanted; i++) if ($0 = want[i]) {
                if ($1 == "iface") now = $3 == "inet" ? $2 : ""
                if ($1 == "mtu" && now != "") with_mtu[now] = 1
            }
            now = ""
            for (i = 1; i <= wanted + 1; i++) {
                $0 = i > wanted ? "" : want[i]
                if (now != "" && ($0 == "" || $1 == "auto" || $1 == "iface")) {
                    if (!takes_over || now != keep[2]) out = out others(takes_over && now == keep[1] ? from : now)
                    now = ""
                }
                if ($1 == "iface" && $3 == "inet") now = $2
                if (want[i] == "@options@") out = out options(from, "^(address|netmask|network|broadcast|gateway)$", 0)
                else if (want[i] == "@dns@") out = out options(keep[1], "^dns-", 0) options(keep[2], "^dns-", 0)
                else if (i <= wanted) {
                    sub(/@method@/, method[from], want[i])
                    out = out want[i] "\n"
                }
            }
            return out "# END " tag "\n"
        }
        END {
            if (inside) exit 3
            if (takes_over && !carries(keep[1]) && !carries(keep[2])) exit 4
            if (!loopback) made = "auto lo\niface lo inet loopback\n\n"
            while (lines && line_of[lines] == "" && !split_at) lines--
            for (i = 1; i <= lines; i++) {
                if (i == split_at) made = made (i > 1 && line_of[i - 1] != "" ? "\n" : "") block() "\n"
                # Where a stanza went, one empty line is left, not two.
                if (line_of[i] != "" || line_of[i - 1] != "" || i == 1) made = made line_of[i] "\n"
            }
            if (!split_at) made = made (lines ? "\n" : "") block()
            if (mode == "test") {
                if (made == have) exit 0
                exit mirror == "" && !takes_over && further() ? 5 : 1
            }
            printf "%s", made
        }' part=want - part=have "$(existing "$5")"
}

# need_no_stanza_elsewhere NAME...: an interface is described in one file only.
need_no_stanza_elsewhere() {
    [ "$phase" = need ] || return 0
    for needed in "$@"; do
        elsewhere=$(grep -l -s -E -e "^[[:blank:]]*iface[[:blank:]]+$needed([[:blank:]]|\$)" /etc/network/interfaces.d/*)
        [ -z "$elsewhere" ] || need_failed {{ m("net.elsewhere", name=v("$needed"), files=v("$elsewhere")) }} {{ m("net.elsewhere_do") }}
    done
}

# takes_several_aware: whether ifupdown2 is set to bring up more than one VLAN-aware
# bridge. By itself it passes over all but one, and only says so.
takes_several_aware() {
    several_conf=/etc/network/ifupdown2/ifupdown2.conf
    [ -r "$several_conf" ] && awk -F '[=:]' '
        { gsub(/[ \t\r]/, "") }
        $1 == "multiple_vlan_aware_bridge_support" { several = $2 }
        END { exit several == "" || several == "0" }' "$several_conf"
}
