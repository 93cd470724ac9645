step_mirror() {
    if package_older {{ package }} {{ before }}; then
{% if "@dns@" in text %}
        # @dns@ stands for the name servers that are there now.
{% endif %}
        want_interfaces /etc/network/interfaces {{ names | string }} {{ kept | string }} mirror {{ text | heredoc }}
    elif [ "$phase" = want ]; then
        same {{ m("mirror.not_needed", package=package) }}
    fi
}
