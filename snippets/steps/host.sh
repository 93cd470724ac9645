step_host() {
    need_root
    need_host
{% if mac %}
    need_mac {{ mac }} {{ mac_nics }}
{% endif %}
{% if machine_id %}
    need_machine_id {{ machine_id }}
{% endif %}
    need_writable {{ written }}
    need_space {{ written }}
    need_release {{ release_file }} {{ release_pattern }}
    need_series {{ series | string }} \
        {{ fits }}
    need_packages {{ packages }}
    need_commands {{ tools }} \
        {{ commands }}
    need_no_rival {{ rivals }}
}
