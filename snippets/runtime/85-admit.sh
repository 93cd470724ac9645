# admit: root may log in by password for a while, so that others can join this node.

admit() {
    begin_call admission
    only_here
    is_whole "$script" || { printf '%s\n' {{ m("admit.no_file") }} >&2; exit 78; }
    is_member || { printf '%s\n' {{ m("admit.no_cluster", cluster=v("$cluster")) }} >&2; exit 78; }
    sshd_accepts "$sshd_config" || { printf '%s\n' {{ m("admit.rejected", path=v("$sshd_config")) }} >&2; exit 78; }
    take_lock
    open_store
    { cp "$script" "$state_dir/close.sh.new" && is_whole "$state_dir/close.sh.new" && mv -f "$state_dir/close.sh.new" "$state_dir/close.sh"; } ||
        cannot_write "$state_dir"
    opening=$$.$(date +%s)
    admit_arm || stop {{ m("admit.no_timer") }}
    printf '%s\n' "$opening" >"$state_dir/admitted" || cannot_write "$state_dir"
    # For root alone; what a Match says goes over what stands before it.
    admit_write open <<'END'
Match User root
 PermitRootLogin yes
 PasswordAuthentication yes
END
    if ! is_open; then
        admit_write close </dev/null
        stop {{ m("admit.forbidden") }} {{ m("admit.forbidden_do") }}
    fi
    printf '%s\n' {{ m("admit.opened", minutes=v("$open_minutes"), again=v("$again")) }}
}

# close: what admit opened is closed, now. The timer and the next boot call this.
close_admission() {
    begin_call admission
    # A run that is under way may have read sshd's file already, to write it anew.
    take_lock wait
    # The timer of an opening that was renewed meanwhile has nothing to close.
    open_now=''
    [ ! -r "$state_dir/admitted" ] || read -r open_now <"$state_dir/admitted"
    if [ "${pvegen_opening:-$open_now}" != "$open_now" ]; then return 0; fi
    end_admission
    printf '%s\n' {{ m("admit.closed") }}
}

# end_admission: what admit opened is closed, and what it armed is gone.
end_admission() {
    if [ -e "$state_dir/admitted" ]; then
        admit_write close </dev/null
        rm -f "$state_dir/admitted"
    fi
    own_unit_gone pvegen-close
}

# is_whole FILE: it is this script, undamaged.
is_whole() {
    [ -f "$1" ] && [ "$(sed 2d <"$1" | sha256sum)" = "$digest  -" ]
}

# is_open: sshd lets root in by password, whatever else its file says.
is_open() {
    found=$(run_sshd -T -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null |
        awk '$1 == "permitrootlogin" || $1 == "passwordauthentication" { print $2 }')
    [ "$found" = "yes${line_break}yes" ]
}

# admit_write open|close <<END: the block in sshd's file, then in force. What opens is tried
# by sshd first. What closes only takes our lines away: that sshd finds fault with others, or
# at boot has no directory yet, must not keep it open. At boot sshd comes after us, and must
# not be waited for.
admit_write() {
    content=$(block_filter "pvegen $cluster: admit" last print "$sshd_config" && printf x)
    [ "$1" = close ] || check_with=sshd_accepts
    content=${content%x}
    digest_of_text "$content"
    keep_first "$sshd_config" "$sum" edited admit
    replace "$sshd_config" ''
    check_with=''
    systemctl is-active "$sshd_unit" >/dev/null 2>&1 || return 0
    run sshd systemctl reload-or-restart "$sshd_unit" ||
        stop {{ m("unit.run_failed", command=v("systemctl reload-or-restart $sshd_unit")) }}
}

# Armed twice, and seen to be, before anything is opened: a timer that outlives
# this login, and a unit that closes at the next boot before sshd starts.
admit_arm() {
    # A link is somebody's: masked, or to a file that we would write to.
    [ ! -L /etc/systemd/system/pvegen-close.service ] || return 1
    cat >/etc/systemd/system/pvegen-close.service <<END || return 1
[Unit]
Description=Close the root login by password that pvegen opened
Before=$sshd_unit.service
[Service]
Type=oneshot
ExecStart=/bin/sh $state_dir/close.sh close
[Install]
WantedBy=multi-user.target
END
    systemctl daemon-reload
    systemctl enable pvegen-close.service >/dev/null 2>&1 || return 1
    systemctl is-enabled pvegen-close.service >/dev/null 2>&1 || return 1
    systemctl stop pvegen-close-later.timer >/dev/null 2>&1
    systemctl reset-failed pvegen-close-later.service >/dev/null 2>&1
    # Left to itself, systemd may be a minute late.
    if systemd-run --unit=pvegen-close-later --on-active="${open_minutes}m" --timer-property=AccuracySec=1s \
        --setenv="pvegen_opening=$opening" /bin/sh "$state_dir/close.sh" close >/dev/null 2>&1; then
        systemctl is-active pvegen-close-later.timer >/dev/null 2>&1
    else
        admit_sleep &
        kill -0 "$!"
    fi
}

# admit_sleep: the timer where systemd makes none.
admit_sleep() {
    # The lock and the terminal are let go of.
    exec </dev/null >/dev/null 2>&1 8>&- 9>&-
    trap '' HUP
    sleep "$((open_minutes * 60))"
    pvegen_opening=$opening
    export pvegen_opening
    exec /bin/sh "$state_dir/close.sh" close
}
