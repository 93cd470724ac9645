# Names of the nodes: our block in /etc/hosts, and lines that contradict it put right.

# want_hosts NAMES <<END: the lines stand in /etc/hosts before all others that are
# not for the loopback; NAMES mean nothing else in any other line.
want_hosts() {
    want_edited /etc/hosts hosts_filter "$1"
}

hosts_filter() {
    awk -v names="$1" -v mode="$2" -v tag="pvegen $cluster: names" '
        BEGIN { count = split(names, name, " "); for (i = 1; i <= count; i++) ours[tolower(name[i])] = 1 }
        part == "want" {
            want = want $0 "\n"
            for (i = 2; i <= NF; i++) address[tolower($i)] = $1
            next
        }
        { have = have $0 "\n" }
        $0 == "# BEGIN " tag { inside = 1; next }
        $0 == "# END " tag { inside = 0; next }
        inside { next }
        {
            sub(/\r$/, "")
            line = right($0)
            if (line == "") { if ($0 ~ /^[ \t]*$/) line_of[++lines] = ""; next }
            if (!at && $1 !~ /^#/ && $1 !~ /^127\./ && $1 != "::1") at = lines + 1
            line_of[++lines] = line
        }
        # The line without our names where it gives them another address.
        function right(text,    i, n, word, bare, out, left) {
            bare = text
            sub(/#.*/, "", bare)
            n = split(bare, word, /[ \t]+/)
            if (word[1] == "") for (i = 1; i < n; i++) word[i] = word[i + 1]
            out = word[1]
            for (i = 2; i <= n; i++) {
                if (word[i] == "") continue
                if (ours[tolower(word[i])] && address[tolower(word[i])] != word[1]) { left = 1; continue }
                out = out " " word[i]
            }
            if (!left) return text
            return out == word[1] ? "" : out
        }
        END {
            if (inside) exit 3
            block = "# BEGIN " tag "\n" want "# END " tag "\n"
            if (!at) at = lines + 1
            for (i = 1; i <= lines; i++) {
                if (i == at) made = made block
                made = made line_of[i] "\n"
            }
            if (at > lines) made = made block
            if (mode == "test") exit made != have
            printf "%s", made
        }' part=want - part=have "$(existing "$3")"
}

# expect_names <<END: lines as in /etc/hosts; each name is its address, and back.
expect_names() {
    if [ "$phase" = need ] || [ "$call" = check ]; then return 0; fi
    while read -r name_address name_whole name_short; do
        expect {{ m("names.forward", name=v("$name_short"), address=v("$name_address")) }} 5 \
            {{ m("names.forward_do", name=v("$name_short")) }} \
            resolves "$name_short" "$name_address"
        expect {{ m("names.back", name=v("$name_whole"), address=v("$name_address")) }} 5 \
            {{ m("names.back_do") }} \
            resolves_back "$name_address" "$name_whole" "$name_short"
    done
}

# resolves NAME ADDRESS: every address of the name is this one, so that the first
# is (pmxcfs and pvecm take the first).
resolves() {
    found=$(getent ahosts "$1" | awk '!seen[$1]++ { print $1 }')
    [ "$found" = "$2" ]
}

# resolves_back ADDRESS NAME SHORT: the address's name is the node's.
resolves_back() {
    found=$(getent hosts "$1" | awk '{ print $2 }')
    [ "$found" = "$2" ] || [ "$found" = "$3" ]
}

# resolves_both_ways SHORT NAME: the name has one address, whose name it is.
resolves_both_ways() {
    found=$(getent ahosts "$1" | awk '!seen[$1]++ { print $1 }')
    case $found in
        '' | *"$line_break"*) return 1 ;;
        *) resolves_back "$found" "$2" "$1" ;;
    esac
}

# resolves_to_own NAME: the name's address is on an interface of this node.
resolves_to_own() {
    found=$(getent ahosts "$1" | awk 'NR == 1 { print $1 }')
    case $found in
        '' | 127.* | ::1) return 1 ;;
        *) ;;
    esac
    look_network
    case $addresses in
        *" $found/"*) return 0 ;;
        *) return 1 ;;
    esac
}
