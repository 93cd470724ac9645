step_rrdcached() {
    on_change rrdcached
    want_copy {{ sysconfig }} {{ templates }}
{% for directory in directories %}
    want_directory {{ directory }}
{% endfor %}
    if has_unit rrdcached; then settle rrdcached systemctl restart rrdcached; fi
}
