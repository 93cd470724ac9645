# admit: root may log in by password for a while, so that others can join this node.

admit() {
    log='' quiet='' call=apply phase=want points=0 points_bad=0 bad=0 changes=0 step=admit step_title=admit only=''
    looks=0 temporary='' touched='' on_change='' check_with='' top=0
    forget_looks
    is_root || { printf '%s\n' {{ m("need.root") }} >&2; exit 78; }
    right_host || { printf '%s\n' "$other_host" >&2; exit 78; }
    [ -f "$script" ] || { printf '%s\n' {{ m("admit.no_file") }} >&2; exit 78; }
    take_lock
    keep_first "$state_dir/close.sh"
    awk -v tag="pvegen $cluster: root login" '
        $0 == "# END " tag { inside = 0 }
        inside
        $0 == "# BEGIN " tag { inside = 1 }' "$sshd_config" >"$state_dir/admit.block" || cannot_write "$state_dir"
    cp "$script" "$state_dir/close.sh" || cannot_write "$state_dir"
    : >"$state_dir/admitted" || cannot_write "$state_dir"
    admit_arm || stop {{ m("admit.no_timer") }}
    admit_write <<END
 PermitRootLogin yes
 PasswordAuthentication yes
END
    printf '%s\n' {{ m("admit.opened", minutes=v("$open_minutes"), again=v("$script")) }}
}

# close: what admit opened is closed, now. The timer and the next boot call this.
close_admission() {
    log='' quiet=yes call=apply phase=want points=0 points_bad=0 bad=0 changes=0 step=close step_title=close only=''
    looks=0 temporary='' touched='' on_change='' check_with='' top=0
    forget_looks
    is_root || { printf '%s\n' {{ m("need.root") }} >&2; exit 78; }
    right_host || { printf '%s\n' "$other_host" >&2; exit 78; }
    if [ -e "$state_dir/admitted" ]; then
        admit_write <"$state_dir/admit.block"
        rm -f "$state_dir/admitted"
    fi
    systemctl disable pvegen-close.service >/dev/null 2>&1
    rm -f /etc/systemd/system/pvegen-close.service
    printf '%s\n' {{ m("admit.closed") }}
}

# admit_write <<END: the block in sshd's file, tried by sshd, then in force.
admit_write() {
    content=$(block_filter "pvegen $cluster: root login" first print "$sshd_config" && printf x)
    content=${content%x}
    check_with=sshd_accepts
    replace "$sshd_config" ''
    check_with=''
    run sshd systemctl reload-or-restart "$sshd_unit" ||
        stop {{ m("unit.run_failed", command=v("systemctl reload-or-restart $sshd_unit")) }}
}

# Armed twice, and seen to be, before anything is opened: a timer that outlives
# this login, and a unit that closes at the next boot before sshd starts.
admit_arm() {
    cat >/etc/systemd/system/pvegen-close.service <<END
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
    systemctl stop pvegen-close-later.timer >/dev/null 2>&1
    if systemd-run --unit=pvegen-close-later --on-active="${open_minutes}m" \
        /bin/sh "$state_dir/close.sh" close >/dev/null 2>&1; then
        systemctl is-active pvegen-close-later.timer >/dev/null
    else
        (
            trap '' HUP
            sleep "$((open_minutes * 60))"
            exec /bin/sh "$state_dir/close.sh" close
        ) </dev/null >/dev/null 2>&1 8>&- 9>&- &
        kill -0 "$!"
    fi
}
