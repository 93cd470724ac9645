step_mirror() {
    if package_older {{ package }} {{ before }}; then
        want_interfaces /etc/network/interfaces {{ names | string }} {{ kept | string }} {{ text | heredoc }}
    elif [ "$phase" = want ]; then
        same {{ m("mirror.not_needed", package=package) }}
    fi
}
