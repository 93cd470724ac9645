step_time() {
    need_clock {{ released }} # {{ released_day }}
    need {{ m("time.zone_known", zone=timezone) }} {{ m("time.zone_do") }} test -f {{ "/usr/share/zoneinfo/" ~ timezone }}
    want_link /etc/localtime {{ "/usr/share/zoneinfo/" ~ timezone }}
    want_setting /etc/sysconfig/clock ZONE {{ timezone }}
{% if timezone_file %}
    want_file /etc/timezone {{ (timezone ~ "\n") | heredoc }}
{% endif %}
    pick_time_service {{ services }}
    on_change "$time_service"
{% if servers %}
    case $time_service in
{% for unit, path in config_of %}
        {{ unit }})
            need {{ m("time.config", path=path) }} {{ m("time.config_do") }} test -f {{ path }}
            want_block {{ path }} 'time servers' last {{ server_lines[unit] | heredoc }}
            ;;
{% endfor %}
        *) need {{ m("time.no_config", unit=v("$time_service")) }} {{ m("time.no_config_do") }} false ;;
    esac
{% else %}
{% for path in configs %}
    want_no_block {{ path }} 'time servers'
{% endfor %}
{% endif %}
    want_no_other_time_service {{ masked | string }}
    if [ -n "$time_service" ]; then
        want_units required run "$time_service"
        settle "$time_service" systemctl restart "$time_service"
    fi
}
