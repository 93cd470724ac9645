step_trust() {
    want_root_key
{% if trust == "password" %}
    want_no_block /root/.ssh/known_hosts keys
{% else %}
{% if missing %}
    need {{ m("trust.missing", names=missing) }} {{ m("trust.missing_do") }} only_keys_wanted
{% endif %}
{% if user_keys %}
    want_authorized_keys {{ user_keys | heredoc }}
{% endif %}
{% if host_keys %}
    want_block /root/.ssh/known_hosts keys last {{ host_keys | heredoc }}
{% endif %}
{% endif %}
}
