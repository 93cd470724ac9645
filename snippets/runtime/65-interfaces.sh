# /etc/network/interfaces: our stanzas in place of those that were there for the
# same interfaces, all others kept.

# want_interfaces PATH NAMES KEPT <<END: NAMES are the interfaces that the lines
# are for; KEPT is the bridge, then its port: what they have had is taken over where
# the lines say @method@, @options@ or @dns@.
want_interfaces() {
    want_edited "$1" interfaces_filter "$2" "$3"
}

interfaces_filter() {
    awk -v names="$1" -v kept="$2" -v mode="$3" -v tag="pvegen $cluster" '
        BEGIN {
            count = split(names, name, " ")
            for (i = 1; i <= count; i++) ours[name[i]] = 1
            split(kept, keep, " ")
        }
        part == "want" { want[++wanted] = $0; if ($0 == "@options@") takes_over = 1; next }
        { have = have $0 "\n" }
        $0 == "# BEGIN " tag || $0 == "# END " tag { next }
        # A line that ends in a backslash goes on in the next one.
        more { more = /\\$/; take($0); next }
        { more = /\\$/ }
        $1 == "iface" {
            stanza = ours[$2] ? $2 : ""
            if (stanza != "" && $3 == "inet") method[stanza] = $4
            if (stanza == "") put($0)
            if ($2 == "lo") loopback = 1
            family = $3
            next
        }
        $1 == "auto" || $1 ~ /^allow-/ {
            stanza = ""
            line = ""
            for (i = 2; i <= NF; i++) if (!ours[$i]) line = line " " $i
            if (line != "") put($1 line)
            next
        }
        $1 == "mapping" || $1 ~ /^source/ || $1 == "rename" || $1 == "no-auto-down" || $1 == "no-scripts" { stanza = "" }
        { take($0) }

        # A line of the stanza that we are in: kept, or ours to replace.
        function take(text) {
            if (stanza == "") put(text)
            else if (family == "inet" && text !~ /^[ \t]*(#|$)/) option[stanza] = option[stanza] text "\n"
        }
        function put(text) {
            if (text ~ /^source/ && !split_at) split_at = lines + 1
            line_of[++lines] = text
        }
        # The name servers that a stanza has had, for they are not stated.
        function nameservers(which,    i, n, part_of, out) {
            n = split(option[which], part_of, "\n")
            for (i = 1; i < n; i++) if (part_of[i] ~ /^[ \t]*dns-/) out = out part_of[i] "\n"
            return out
        }
        function carries(which) { return method[which] == "dhcp" || option[which] ~ /(^|\n)[ \t]*address/ }
        function block(    from, out, i, n, part_of) {
            out = "# BEGIN " tag "\n"
            from = carries(keep[1]) ? keep[1] : keep[2]
            for (i = 1; i <= wanted; i++) {
                if (want[i] == "@options@") {
                    n = split(option[from], part_of, "\n")
                    for (j = 1; j < n; j++) if (part_of[j] !~ /^[ \t]*(bridge|bond|mtu|hwaddress|dns-)/) out = out part_of[j] "\n"
                } else if (want[i] == "@dns@") {
                    out = out nameservers(keep[1]) nameservers(keep[2])
                } else {
                    sub(/@method@/, method[from], want[i])
                    out = out want[i] "\n"
                }
            }
            return out "# END " tag "\n"
        }
        END {
            if (takes_over && !carries(keep[1]) && !carries(keep[2])) exit 4
            if (!loopback) made = "auto lo\niface lo inet loopback\n\n"
            while (lines && line_of[lines] == "" && !split_at) lines--
            for (i = 1; i <= lines; i++) {
                if (i == split_at) made = made block() "\n"
                # Where a stanza went, one empty line is left, not two.
                if (line_of[i] != "" || line_of[i - 1] != "" || i == 1) made = made line_of[i] "\n"
            }
            if (!split_at) made = made (lines ? "\n" : "") block()
            if (mode == "test") exit made != have
            printf "%s", made
        }' part=want - part=have "$(existing "$4")"
}

# need_no_stanza_elsewhere NAME...: an interface is described in one file only.
need_no_stanza_elsewhere() {
    [ "$phase" = need ] || return 0
    for needed in "$@"; do
        elsewhere=$(grep -l -s -E -e "^[[:blank:]]*iface[[:blank:]]+$needed([[:blank:]]|\$)" /etc/network/interfaces.d/*)
        [ -z "$elsewhere" ] || need_failed {{ m("net.elsewhere", name=v("$needed"), files=v("$elsewhere")) }} {{ m("net.elsewhere_do") }}
    done
}
